package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
)

// ReadSource reads a secret from where the fleet file says it is: a variable of
// the environment, a file ("~/" is the home directory of env's HOME), or a
// command's standard output. An unset or empty variable and an empty output are
// errors. The errors name the source and hold nothing of what was read.
func ReadSource(ctx context.Context, src fleet.Source, env func(string) string) ([]byte, error) {
	switch {
	case src.Env != "":
		value := env(src.Env)
		if value == "" {
			return nil, fmt.Errorf("the environment variable %s is not set", src.Env)
		}
		return []byte(value), nil
	case src.File != "":
		return readFile(src.File, env)
	case len(src.Command) > 0:
		return readCommand(ctx, src.Command)
	default:
		return nil, errors.New("no source is named: env, file or command")
	}
}

func describe(src fleet.Source) string {
	switch {
	case src.Env != "":
		return src.Env
	case src.File != "":
		return src.File
	default:
		return "the output of " + strings.Join(src.Command, " ")
	}
}

// PeekFile is what a file of a secret holds, to know it wherever it is told; false where
// it cannot be read, is none (a pipe would be empty afterwards), or has more bytes than
// that.
func PeekFile(name string, env func(string) string, most int64) (content string, ok bool) {
	at := expandHome(name, env)
	info, err := os.Stat(at)
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return "", false
	}
	data, err := os.ReadFile(at) //nolint:gosec // that file is what was asked for
	return string(data), err == nil
}

func readFile(name string, env func(string) string) ([]byte, error) {
	data, err := os.ReadFile(expandHome(name, env)) //nolint:gosec // that file is what was asked for
	if err != nil {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("the file %s is empty", name)
	}
	return data, nil
}

func expandHome(name string, env func(string) string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		return filepath.Join(env("HOME"), rest)
	}
	return name
}

// commandTimeout bounds a command that fetches a secret: it may ask a service,
// but nobody sits there to answer a prompt.
const commandTimeout = time.Minute

func readCommand(ctx context.Context, command []string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, commandTimeout, fmt.Errorf("%w after %s", ErrTimeout, commandTimeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // that command is what was asked for
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("run %s: %w", command[0], context.Cause(ctx))
	case err != nil:
		// Its standard output may be the secret; what it says beside it is for people.
		return nil, fmt.Errorf("run %s: %w: %s", command[0], err, lastLine(stderr.String()))
	case stdout.Len() == 0:
		return nil, fmt.Errorf("the command %s printed nothing", command[0])
	}
	return stdout.Bytes(), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
