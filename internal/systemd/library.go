package systemd

import _ "embed"

// library holds the functions of the look's script.
//
//go:embed look.sh
var library string
