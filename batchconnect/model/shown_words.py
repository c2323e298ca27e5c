"""
The words that a foreign text may show, and no other: made by `.ci/shown_words.py`, not by hand.

They are the words of the messages that Adobe and Microsoft publish, and of those that proxies, databases
and readers of workbooks are known for, in lower case.
"""

from typing import Final

_LISTED: Final = """
a aad aadapp aadsts aborted about above acceptable access account accounts acquire acquiring
acquisition action active actively activityid ad adal added address addresses administrator
admins adobe adx aep after again against aggregateexception aka akamai alert all
alldatabasesviewer allow allowed allows almost already also although always am among an and
another any anything apache api apis app application archive are aren't as ask asks assertion
assigned assignment at attempt attempts attribute auth authenticate authentication authority
authorization authorized authspec available away azure azuredataexplorer
azuredataexplorerconnectionerror azuredataexplorerfailedtoconnect
azuredataexplorerinvalidcredential back bad badrequest badrequesterror base based be bearer
because become been before behind being below between biff blacklisted blank blocked body
boolean both bounds broken busy but by bytes call called caller calls can can't canceled
canceling cancelled cannot captive cause caused causes cell cells certcreds certificate cfb
chain change changed changes channel character characters check checked checks cipher client
clientlibrary closed cloud cloudflare cloudfront cluster clusterviewer code codes column com
come comes command common company complete compressed compression condition conditional
confidential conflict connect connected connecting connection connections connectionspec
connectionspecs connector consented consider constraint consult contact contain contains content
continuationtoken core correct correlation corrupt corrupted could couldn't count crc create
credential credentials csv damaged data database databaseadmin databasequery databaseread
databaseviewer dataflow dataserviceexception dataset datatransfer date days deadlock declaration
deep default delay delete deleted deletion denied depth description detail detailed details
detected developer device did didn't directory disabled disconnect disk displayed dns do
document does doesn't doing domain don't done down draft due duplicate during each either
element else empty enabled encoding encountered encrypted end ended endpoint engine enough
ensure enterprise entities entitled entity entitynamenotfound entitynotfound entra envoy eof
error errorcode errordetails errormessage errors establish established etag even ever every
everything example exceeded exceeds except exception executed execution exist existing exists
expect expected experience expire expired expires expiry exploration explore explorer expression
external factor failed failure false fault few field fields file files filter finalizing
firewall first flow folder following follows for forbidden forbids format formed formula found
from full further gateway general get gets getting give given gives go goes government grant
granted graph group guid gw had handshake happen happened happens has hasn't have haven't having
he head header headers healthy help her here him his host hostname hours how however href html
http httprequestexception https hybriddeliveryexception i id identifier identity ids if iis
image ims in incident include included includes including index ingestion ingestors initializing
inner input inside installed instead insufficient integer interactive internal
internalservererror internalserviceerror into invalid io ip is isn't issuance issuer it items
its itself json just jwt keep kept key keys kind kinds know known kusto kustoclientexception
kustoclientinvalidconnectionstringexception kustorequestexception kustoserviceexception lacks
large last later lease least left length less let like limit limits line link linked
linkedservice links local lock locked log login long longer look low machine macro made magic
maintenance make makes making malformed manage managed management mandatory many mapping match
maximum may maybe mean means media memory merged message method mfa microsoft microsoft's
microsoftonline might milliseconds minimum minutes mismatch mismatched missing monitors more
most mount moved ms msal much multi must my name named names namespace near need needed needs
neither net network never new newclientsecret next nginx no nodename non none nor not
notauthorized notfounderror nothing now null number oauth oauth2 object objects objecttype
obtain occurred ods of off offered offset old ole on once one ones only onmicrosoft onto open
opened operation operationcanceledexception operator options or order orderby org organisation
organization other others otherwise our out outer over overflow overload overloaded own owner
page parameter parameters params part partial parts party passing password patch path payload
per perform perhaps period permanent permanently permission permissions pipe platform please
policies policy portal position possible post precondition present preview previous principal
private processed product profile properly properties property protected protocol provide
provided provider providerid proxy public purge put queries query quota range rate reach reached
reaching read reading readonly really reason record records recursion redirect reference
refusals refused region registered registration rejected relation relationship relationships
remaining remote report request requested requests required reserved reset resolution resolve
resolved resource resources respond response rest resume retried retries retry revoked right
role roles root route row rows rules run runaway running runtime same sandbox sandbox's
sandboxes say says scalar schema scope sdk sealed seconds secret secure security see seems seen
self semantic send sending sent sequence server service serviceprincipalid serviceprincipalkey
services servname set sets several sha256 shall shared she sheet short should shouldn't show
shown shows shutting sign signature signed signing simultaneous since site size slots slow so
socketexception soft some something soon source sources space spec specified specname squid ssl
sso stale starting state statement status still stopped stream string strings styles
suberrorcode subject subscription subscriptions such sufficient support supported sure suspended
syntax system tab table tag take taken takes target task taskcanceledexception tcp tell
temporarily temporary tenant termination test text than that that's the their them then there
therefore these they thing things this those though three throttled through thus time timed
timeout timeoutexception timestamp title tls to together token told too trace transient tried
tries true truncated trust trusted try trying turn turned two type types unable unauthorised
unauthorized unavailable undefined under underlying unexpected unexpectedly unique unknown
unless unprocessable unsupported until up update upon upstream uri url us usage use used user
usererror usererrorfailedtoconnect users uses using utf utf8 uuid v1 v2 v3 valid validate value
values varnish vault vba verify version very via viewer viewers violates virtual visit wait want
warning was wasn't way ways we webexception well were weren't what when where whether which
while whitelisted who whom whose why will windows with within without won't workbook worked
worksheet would wouldn't write writing written wrong www xls xlsb xlsx xml yes yet you your zip
zscaler
"""
SHOWN_WORDS: Final = frozenset(_LISTED.split())
