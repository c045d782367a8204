package sshd

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// session runs the one command of a session channel.
func session(ctx context.Context, nc ssh.NewChannel, user string, run func(context.Context, Command) int) {
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { _ = ch.Close() }()

	c := Command{User: user, Env: map[string]string{}, Stdin: ch, Stdout: ch, Stderr: ch.Stderr()}
	if !command(requests, &c) {
		return
	}
	// The client may close the channel, or send a signal, while the command runs.
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		for r := range requests {
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
			if r.Type == "signal" {
				return
			}
		}
	})
	status := run(ctx, c)
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)})) //nolint:gosec // 0 to 255
	_ = ch.Close()
	for range requests { //nolint:revive // drained so that the connection goes on
	}
	wg.Wait()
}

// command reads requests until one says what to run.
func command(requests <-chan *ssh.Request, c *Command) bool {
	for r := range requests {
		ok := true
		done := false
		switch r.Type {
		case "exec":
			var p struct{ Line string }
			ok = ssh.Unmarshal(r.Payload, &p) == nil
			c.Line, done = p.Line, ok
		case "shell":
			done = true
		case "env":
			var p struct{ Name, Value string }
			if ok = ssh.Unmarshal(r.Payload, &p) == nil; ok {
				c.Env[p.Name] = p.Value
			}
		case "pty-req", "window-change":
		default:
			ok = false
		}
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
		if done {
			return true
		}
	}
	return false
}

// forward joins a direct-tcpip channel with what dial opens.
func forward(ctx context.Context, nc ssh.NewChannel, dial func(context.Context, string) (net.Conn, error)) {
	var p struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(nc.ExtraData(), &p); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, fmt.Sprintf("unreadable request: %v", err))
		return
	}
	conn, err := dial(ctx, net.JoinHostPort(p.Host, strconv.Itoa(int(p.Port))))
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer func() { _ = conn.Close() }()
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close(); _ = ch.Close() })
	defer stop()

	var wg sync.WaitGroup
	wg.Go(func() { answerRequests(requests) })
	wg.Go(func() {
		_, _ = io.Copy(ch, conn)
		_ = ch.Close()
	})
	_, _ = io.Copy(conn, ch)
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	} else {
		_ = conn.Close()
	}
	wg.Wait()
}
