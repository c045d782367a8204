// Command snowdrop turns a Nix flake into running DigitalOcean droplets.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/versatus/snowdrop/internal/action"
	"github.com/versatus/snowdrop/internal/cli"
)

func main() {
	os.Exit(run())
}

// run picks the front end and turns its end into an exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: whoever sends it does not want to
	// wait for the tidying up.
	defer context.AfterFunc(ctx, stop)()
	// A closed terminal is told twice, by the shell and by the kernel. nohup ignores it.
	if !signal.Ignored(syscall.SIGHUP) {
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
	}
	if slices.Equal(os.Args[1:], []string{"action"}) { // action.yml says so
		return action.Run(ctx, action.IO{Out: os.Stdout, Getenv: os.Getenv})
	}
	return cli.Run(ctx, os.Args[1:], cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
}
