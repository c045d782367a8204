package toplevel

import (
	"strings"
	"testing"
)

func TestSecretsInUnitsAreMasked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{`Environment="DB_PASSWORD=hush hush"`, `Environment="DB_PASSWORD=***"`},
		{`Environment=DB_PASSWORD=hush`, `Environment=DB_PASSWORD=***`},
		{`Environment=A=1 API_TOKEN=hush B=2`, `Environment=A=1 API_TOKEN=*** B=2`},
		{`Environment="A=1" 'SECRET=hush hush' "B=2"`, `Environment="A=1" 'SECRET=***' "B=2"`},
		{`Environment="AWS_SECRET_ACCESS_KEY=hush"`, `Environment="AWS_SECRET_ACCESS_KEY=***"`},
		{`Environment="apiKey=hush"`, `Environment="apiKey=***"`},
		{`Environment="STRIPE_KEY_LIVE=hush"`, `Environment="STRIPE_KEY_LIVE=***"`},
		{`Environment="SMTP_PASS=hush"`, `Environment="SMTP_PASS=***"`},
		{`Environment="PASSWORD=say \"hush\" now"`, `Environment="PASSWORD=***"`},
		{`Environment="DATABASE_URL=postgres://app:hush@db/app"`, `Environment="DATABASE_URL=postgres://app:***@db/app"`},
		{`Environment="CONFIG={\"user\":\"a\",\"password\":\"hush\",\"x\":1}"`, `Environment="CONFIG={\"user\":\"a\",\"password\":***"`},
		{`ExecStart=/nix/store/…-app-1.0/bin/app --token=hush --port=1`, `ExecStart=/nix/store/…-app-1.0/bin/app --token=*** --port=1`},
		{`ExecStart=/nix/store/…-app-1.0/bin/app --password hush --port 1`, `ExecStart=/nix/store/…-app-1.0/bin/app --password *** --port 1`},
		{`ExecStart=app --password "hush hush" x`, `ExecStart=app --password "***" x`},
		{`ExecStart=sh -c "export TOKEN=hush; exec app"`, `ExecStart=sh -c "export TOKEN=***"`},
		{`ExecStart=sh -c 'app --password hush'`, `ExecStart=sh -c 'app --password ***'`},
		{`ExecStart=curl -H "Authorization: Bearer hush" http://x/`, `ExecStart=curl -H "Authorization: ***" http://x/`},
		{`SetCredential=db:hush`, `SetCredential=db:***`},
		{`SetCredentialEncrypted=db: hush`, `SetCredentialEncrypted=db:***`},
		{`MY_TOKEN=hush`, `MY_TOKEN=***`},
		{`export MY_TOKEN='hush'`, `export MY_TOKEN=***`},
	} {
		got := masked(c.line)
		if got != c.want {
			t.Errorf("masked(%s)\n got %s\nwant %s", c.line, got, c.want)
		}
		if strings.Contains(got, "hush") {
			t.Errorf("masked(%s) tells the secret: %s", c.line, got)
		}
	}
}

func TestWhatIsNoSecretIsShown(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`Environment="PATH=/nix/store/…-coreutils-9.7/bin"`,
		`Environment="DB_PASSWORD_FILE=/run/secrets/db"`,
		`Environment="DB_PASSWORD=%d/db"`,
		`Environment="TOKEN=/run/secrets/token"`,
		`Environment="KEYMAP=de" "MODE=fast"`,
		`KeyringMode=private`,
		`TokenLimit=4`,
		`LoadCredential=db-password:/run/secrets/db`,
		`ExecStart=app --password-file /run/secrets/db --key /etc/ssl/key.pem --token ${TOKEN}`,
		`ExecStart=app --no-password --listen 0.0.0.0:80`,
		`Description=Generates the key: once`,
		`Description=Hands out tokens`,
		`ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key`,
		`Documentation=https://example.org/a:b`,
		`BindReadOnlyPaths=/run/secrets:/run/secrets`,
	} {
		if got := masked(line); got != line {
			t.Errorf("masked(%s)\n got %s", line, got)
		}
	}
}

func TestASecretIsInNoPartOfASnapshot(t *testing.T) {
	t.Parallel()
	n := release1()
	n.params = "console=ttyS0 luks.passphrase=hush"
	n.nginxConf = "password = hush;\n"
	n.more = func(s *fakeStore) {
		s.unit("app.service", "# TOKEN=hush\n[Service]\nEnvironment=\"A=1\" \\\n  \"TOKEN=hush hush\\\n  hush\" \\\n  B=2\nSetCredential = x:hush\n")
		s.file("«unit-app»/app.service", "[Service]\nEnvironment=SECRET=hush\n")
		s.link("«system-units»/app.service.d/overrides.conf", "«unit-app»/app.service")
	}
	snap := n.build(t, "1")
	if _, ok := snap.Units["app.service"]; !ok {
		t.Fatal("the unit is not in the snapshot, so this shows nothing")
	}
	if text := asJSON(t, snap); strings.Contains(text, "hush") {
		t.Errorf("the snapshot tells a secret:\n%s", text)
	}
}

func TestALongLineOfNothingSensibleIsReadInTime(t *testing.T) {
	t.Parallel()
	for _, part := range []string{`"a `, `"`, `a=`, `"' `, `\"a `, "=:", "TOKEN=/run/ "} {
		line := "ExecStart=" + strings.Repeat(part, maxFile/len(part)) + "TOKEN=hush"
		if got := masked(line); strings.Contains(got, "hush") {
			t.Errorf("it tells the secret behind %d bytes of %s", len(got), part)
		}
	}
}

func FuzzMasked(f *testing.F) {
	for _, s := range []string{"", "a b", "=", ":", "x=y", "-x", "{a:b}", "://u:p@", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		masked(s)
		if strings.ContainsAny(s, "\"'\\\n") {
			return // The value would end there.
		}
		for _, line := range []string{`Environment="API_TOKEN=hush` + s + `hush"`, `ExecStart=app --password "hush` + s + `hush"`, "SetCredential=x:" + s + "hush"} {
			if got := masked(line); strings.Contains(got, "hush") {
				t.Errorf("masked(%s) is %s", line, got)
			}
		}
	})
}
