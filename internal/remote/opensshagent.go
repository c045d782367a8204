package remote

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versatus/snowdrop/internal/fleet"
)

const (
	// noFile is OpenSSH's word for no IdentityFile.
	noFile = "none"
	// maxOffers is how many keys an sshd lets a client offer before it hangs up
	// (MaxAuthTries), if it was not told otherwise.
	maxOffers = 6
)

// agentKeys are files with those public keys of the agent that are offered beside
// the files; all says that it needs none, for every key of the agent may be.
// OpenSSH offers the agent's keys first: where there are many, the server would hang
// up before it is the turn of the files, with which Dial begins.
func (w *opensshWriter) agentKeys(ctx context.Context, identity *fleet.Source, files []string) (chosen []string, all bool, err error) {
	if identity != nil {
		return nil, false, nil
	}
	var a authenticator
	a.openAgent(ctx, w.d.cfg.Env(EnvAgent))
	defer a.close()
	if a.agent == nil || files[0] == noFile {
		return nil, true, nil
	}
	keys, err := a.agent.List()
	if err != nil || len(files)+len(keys) <= maxOffers {
		return nil, true, nil //nolint:nilerr // OpenSSH will ask the agent itself
	}
	for i, key := range keys[:max(0, maxOffers-len(files))] {
		file := filepath.Join(w.dir, fmt.Sprintf("agent-%d.pub", i+1))
		if err := os.WriteFile(file, []byte(marshalKey(key)+"\n"), 0o600); err != nil { //nolint:gosec // the folder is our own
			return nil, false, fmt.Errorf("write a public key of the agent: %w", err)
		}
		chosen = append(chosen, file)
	}
	return chosen, false, nil
}
