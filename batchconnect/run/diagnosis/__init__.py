"""What `doctor` looks at, one module per step of a first contact; each yields its `Check`s."""
