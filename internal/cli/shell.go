package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/deploy"
)

func (a *app) shellCommand() *cobra.Command {
	var f sshFlags
	var packages []string
	c := &cobra.Command{
		Use:     "shell MACHINE -p PACKAGE... [-- COMMAND [ARG]...]",
		Short:   "Open a shell on a machine that has further packages, for this session alone",
		GroupID: groupLook,
		Long: `Opens a shell on a machine in which further packages are found: 'nix shell' there. They
are installed nowhere: another session does not have them, and the machine's next
garbage collection (nix-collect-garbage) deletes them. The machine has to reach a
binary cache, or builds them.

PACKAGE is an attribute of the machine's nixpkgs, such as jq, or of any flake:
nixpkgs/nixos-25.05#jq. With a command the shell runs that, with exactly these
arguments, and ends; its exit status is passed on.

MACHINE is what it is for 'snowdrop ssh'.`,
		Example: `  snowdrop shell web -p htop iotop
  snowdrop shell web/web-2 -p jq -- jq .revision /etc/snowdrop/release.json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || c.ArgsLenAtDash() == 0 {
				return errNoMachine
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			words, program := args, []string(nil)
			if dash := c.ArgsLenAtDash(); dash >= 0 {
				words, program = args[:dash], args[dash:]
			}
			packages = append(packages, words[1:]...) // as nix-shell -p takes them
			command, err := nixShell(packages, program)
			if err != nil {
				return deploy.UsageError{Err: err}
			}
			return a.onMachine(c.Context(), args[0], func(s *session, m deploy.Machine) error {
				// A terminal changes what a command prints, and mixes its errors with it.
				f.tty = terminal(a.io.In) && (len(program) == 0 || terminal(a.io.Out))
				if f.tty && len(program) == 0 {
					_, _ = fmt.Fprintf(a.io.Err, "snowdrop: %s on %s, for this shell alone: leave it (exit), and nothing of it stays but what the next garbage collection deletes\n",
						strings.Join(packages, ", "), m)
				}
				return s.ssh(c.Context(), m, f.args(), []string{command})
			})
		},
		ValidArgsFunction: a.completeServers,
	}
	c.Flags().StringArrayVarP(&packages, "package", "p", nil, "a package that the shell has: NAME, or FLAKE#NAME (may be given several times)")
	f.add(c)
	return c
}

// installable is what may name a package: no letter of it means anything to a
// shell, and it does not begin like a flag.
var installable = regexp.MustCompile(`^[A-Za-z0-9_./~"][A-Za-z0-9_./~"+:?=&%@#^*,-]*$`) //nolint:gochecknoglobals // a constant

// nixShell is the command line, for the machine's shell, of a nix shell with
// packages. Nix may have the commands that it uses switched off in its
// configuration.
func nixShell(packages, command []string) (string, error) {
	words := []string{"nix", "--extra-experimental-features", "nix-command flakes", "shell"}
	for _, p := range packages {
		if !installable.MatchString(p) || strings.Count(p, "#") > 1 || strings.HasSuffix(p, "#") {
			return "", fmt.Errorf("%q is not a package: write NAME as in nixpkgs, or FLAKE#NAME", p)
		}
		if !strings.Contains(p, "#") {
			p = "nixpkgs#" + p
		}
		words = append(words, p)
	}
	if len(packages) == 0 {
		return "", fmt.Errorf("name a package: -p NAME, or -p FLAKE#NAME")
	}
	if len(command) > 0 {
		words = append(append(words, "--command"), command...)
	}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " "), nil
}

// quote makes one word of a text for a POSIX shell, and for fish: to that a backslash
// means something between quotes, too.
func quote(text string) string {
	return "'" + strings.NewReplacer("'", `'\''`, `\`, `'\\'`).Replace(text) + "'"
}
