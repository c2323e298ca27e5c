"""`template`: an empty sheet to fill in."""

from pathlib import Path

from tests.command_line import CommandLine


def test_without_a_path_the_template_is_the_result(batchconnect: CommandLine) -> None:
    """On stdout, to be redirected; nothing else is said."""
    done = batchconnect("template")

    assert done.code == 0
    assert done.out.startswith("name,description,endpoint,")
    assert done.err == ""


def test_without_a_path_programs_get_a_document(batchconnect: CommandLine) -> None:
    """`--json` is a JSON document for every command, this one too."""
    done = batchconnect("template", "--json")

    assert done.json["path"] is None
    assert done.json["csv"].startswith("name,description,endpoint,")


def test_the_written_template_names_the_next_command(batchconnect: CommandLine) -> None:
    """The file is ready, and validates: notes and example are no rows."""
    done = batchconnect("template", "clients.csv")
    again = batchconnect("validate", "clients.csv")

    assert done.out.splitlines() == [
        "clients.csv is ready to fill in",
        "next:   fill it in, then: batchconnect validate clients.csv",
    ]
    assert again.code in {0, 3}
    assert Path("clients.csv").stat().st_mode & 0o777 == 0o600


def test_what_a_person_has_filled_in_is_never_overwritten(batchconnect: CommandLine) -> None:
    """A second template under the same name is refused."""
    batchconnect.write("clients.csv", "mine")

    done = batchconnect("template", "clients.csv")

    assert done.code == 2
    assert "clients.csv exists already" in done.err
    assert Path("clients.csv").read_text() == "mine"


def test_a_workbook_offers_the_orgs_of_the_settings(batchconnect: CommandLine) -> None:
    """To pick from; it validates, and reads as empty."""
    import openpyxl

    org = '[orgs.acme]\norg_id = "AAAAAAAAAAAAAAAAAAAAAAAA@AdobeOrg"\nclient_id = "c"\n'
    batchconnect.write("mine.toml", f'{org}sandbox = "dev"\n')

    done = batchconnect("template", "clients.xlsx", "--settings", "mine.toml", "--json")

    assert done.code == 0
    assert openpyxl.load_workbook(done.json["path"]).sheetnames


def test_an_empty_sheet_needs_no_settings_that_work(batchconnect: CommandLine) -> None:
    """Broken ones that nobody named are a warning; named ones are an error."""
    batchconnect.write("batchconnect.toml", "no = toml = at all")

    unnamed = batchconnect("template", "a.xlsx")
    named = batchconnect("template", "b.xlsx", "--settings", "batchconnect.toml")

    assert (unnamed.code, named.code) == (0, 2)
    assert "no list of orgs is offered" in unnamed.err
    assert not Path("b.xlsx").exists()


def test_a_folder_that_is_not_there_is_told(batchconnect: CommandLine) -> None:
    """With what to do instead."""
    done = batchconnect("template", "nowhere/clients.csv")

    assert done.code == 2
    assert "nowhere/clients.csv cannot be written" in done.err


def test_another_kind_of_file_is_refused_with_the_right_name(batchconnect: CommandLine) -> None:
    """The hint is the command as it should be."""
    done = batchconnect("template", "clients.ods")

    assert done.code == 2
    assert "hint:  batchconnect template clients." in done.err
