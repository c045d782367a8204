package nix_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// system is what a configuration comes to.
type system struct {
	Environment struct {
		Etc map[string]struct{ Source, Text string }
	}
	Nix struct {
		Settings map[string][]string
	}
	Services struct {
		Openssh struct {
			Enable   bool
			Settings struct {
				PasswordAuthentication, KbdInteractiveAuthentication bool
				PermitRootLogin                                      string
			}
		}
	}
	System struct {
		ActivationScripts map[string]struct {
			Deps []string
			Text string
		}
		ConfigurationRevision *string
	}
	Systemd struct {
		Tmpfiles struct{ Rules []string }
	}
	Users struct {
		Motd  *string
		Users map[string]struct{ Linger *bool }
	}
	Virtualisation struct {
		DigitalOcean struct {
			RebuildFromUserData *bool
			DefaultConfigFile   string
		}
	}
}

// evaluate is NixOS's part, as tests/eval.nix plays it. nixos says which options are
// not there; configuration is the body of a module.
func evaluate(t *testing.T, nixos, configuration string) (system, error) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("tests", "eval.nix"))
	if err != nil {
		t.Fatal(err)
	}
	expr := fmt.Sprintf("import %q { nixos = { %s }; configuration = { lib, ... }: { %s }; }", file, nixos, configuration)
	out, errs, err := run(t, "nix-instantiate", "--eval", "--strict", "--json", "--readonly-mode", "-E", expr)
	if err != nil {
		return system{}, fmt.Errorf("%w\n%s", err, errs)
	}
	var s system
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return s, nil
}

func mustEvaluate(t *testing.T, nixos, configuration string) system {
	t.Helper()
	s, err := evaluate(t, nixos, configuration)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	enabled = `snowdrop.enable = true; snowdrop.server = "web"; `
	whole   = enabled + `
		snowdrop.flake = "github:acme/servers";
		snowdrop.revision = "0123456789abcdef0123456789abcdef01234567";
		snowdrop.lingeringUsers = [ "deploy" ];
		snowdrop.trustedUsers = [ "deploy" "@wheel" ];
		users.users.deploy.isNormalUser = true; `
	configurationFile = "nixos/configuration.nix"
	releaseFile       = "snowdrop/release.json"
)

func TestModuleSetsAllThatADropletNeeds(t *testing.T) {
	t.Parallel()
	s := mustEvaluate(t, "", whole)
	etc := s.Environment.Etc
	golden(t, "configuration.nix.txt", etc[configurationFile].Text)
	golden(t, "motd.txt", *s.Users.Motd)

	want := `{"flake":"github:acme/servers","revision":"0123456789abcdef0123456789abcdef01234567","server":"web"}` + "\n"
	if got := etc[releaseFile].Text; got != want {
		t.Errorf("release.json %q", got)
	}
	if r := s.System.ConfigurationRevision; r == nil || !strings.Contains(want, *r) {
		t.Errorf("configurationRevision %v", r)
	}
	do := s.Virtualisation.DigitalOcean
	if do.RebuildFromUserData == nil || *do.RebuildFromUserData || do.DefaultConfigFile != etc[configurationFile].Source {
		t.Errorf("virtualisation.digitalOcean %+v", do)
	}
	ssh := s.Services.Openssh
	if !ssh.Enable || ssh.Settings.PasswordAuthentication || ssh.Settings.KbdInteractiveAuthentication || ssh.Settings.PermitRootLogin != "prohibit-password" {
		t.Errorf("sshd %+v", ssh)
	}
	if diff := cmp.Diff([]string{"root", "deploy", "@wheel"}, s.Nix.Settings["trusted-users"]); diff != "" {
		t.Errorf("trusted users (-want +got)\n%s", diff)
	}
	if linger := s.Users.Users["deploy"].Linger; linger == nil || !*linger {
		t.Error("deploy does not linger")
	}
	if diff := cmp.Diff([]string{"f /var/lib/systemd/linger/deploy 0644 root root -"}, s.Systemd.Tmpfiles.Rules); diff != "" {
		t.Errorf("tmpfiles (-want +got)\n%s", diff)
	}
	if !slices.Contains(s.System.ActivationScripts["etc"].Deps, "snowdrop") {
		t.Error("a configuration of the user's may be overwritten before it is kept")
	}
}

// An option that a NixOS does not have may not be set there: it would not evaluate.
func TestModuleIsRightWhereNixOSLacksAnOption(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"droplet", "configFile", "linger", "motdFile"} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			s := mustEvaluate(t, missing+" = false;", whole)
			text := s.Environment.Etc[configurationFile].Text
			if got := strings.Contains(text, "snowdrop deploy web"); got != (missing != "droplet") {
				t.Errorf("a new image for what is no droplet, or none for what is one:\n%s", text)
			}
			if len(s.Systemd.Tmpfiles.Rules) != 1 || s.Users.Motd == nil || !strings.Contains(*s.Users.Motd, "web") {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestModuleDoesNothingUnlessItIsEnabled(t *testing.T) {
	t.Parallel()
	s := mustEvaluate(t, "droplet = false;", "")
	if len(s.Environment.Etc) != 0 || s.Users.Motd != nil || s.Services.Openssh.Enable || len(s.System.ActivationScripts) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ configuration, release, revision string }{
		"none": {"", `{"server":"web"}`, ""},
		"of the module": {
			`snowdrop.revision = "0123abc";`, `{"revision":"0123abc","server":"web"}`, "0123abc",
		},
		"of NixOS": {
			`system.configurationRevision = "4567def";`, `{"revision":"4567def","server":"web"}`, "4567def",
		},
		"of both": {
			`system.configurationRevision = "4567def"; snowdrop.revision = "0123abc";`, `{"revision":"0123abc","server":"web"}`, "4567def",
		},
		"of a tree with changes": {
			`snowdrop.revision = "0123abc-dirty";`, `{"revision":"0123abc-dirty","server":"web"}`, "0123abc-dirty",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustEvaluate(t, "", enabled+test.configuration)
			if got := s.Environment.Etc[releaseFile].Text; got != test.release+"\n" {
				t.Errorf("release.json %q", got)
			}
			var revision string
			if s.System.ConfigurationRevision != nil {
				revision = *s.System.ConfigurationRevision
			}
			if revision != test.revision {
				t.Errorf("configurationRevision %q", revision)
			}
		})
	}
}

func TestWhatTheUserSetsGoesBeforeTheModule(t *testing.T) {
	t.Parallel()
	s := mustEvaluate(t, "", whole+`
		services.openssh.settings.PermitRootLogin = "no";
		users.motd = "Mind the step.";
		virtualisation.digitalOcean.rebuildFromUserData = true;`)
	if s.Services.Openssh.Settings.PermitRootLogin != "no" || !*s.Virtualisation.DigitalOcean.RebuildFromUserData {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(*s.Users.Motd, "Mind the step.") || !strings.Contains(*s.Users.Motd, "server: web") {
		t.Errorf("motd %q", *s.Users.Motd)
	}
	// What a shared module of the user's has as a default is no conflict.
	s = mustEvaluate(t, "", whole+`
		services.openssh.settings = { PermitRootLogin = lib.mkDefault "no"; KbdInteractiveAuthentication = lib.mkDefault true; };
		system.configurationRevision = lib.mkDefault "4567def";
		virtualisation.digitalOcean.rebuildFromUserData = lib.mkDefault true;
		users.users.deploy.linger = lib.mkDefault false;
		environment.etc."nixos/configuration.nix".text = "{ }";`)
	settings := s.Services.Openssh.Settings
	if settings.PermitRootLogin != "no" || !settings.KbdInteractiveAuthentication || *s.System.ConfigurationRevision != "4567def" ||
		!*s.Virtualisation.DigitalOcean.RebuildFromUserData || *s.Users.Users["deploy"].Linger || s.Environment.Etc[configurationFile].Text != "{ }" {
		t.Errorf("%+v", s)
	}
	s = mustEvaluate(t, "", whole+`users.motdFile = "/etc/motd";`)
	if s.Users.Motd != nil { // NixOS allows one of them
		t.Errorf("motd %q", *s.Users.Motd)
	}
	s = mustEvaluate(t, "droplet = false;", enabled+`snowdrop.motd = false; snowdrop.sshd = false; snowdrop.configurationFile = false;`)
	if s.Users.Motd != nil || s.Services.Openssh.Settings.KbdInteractiveAuthentication != true || len(s.Environment.Etc) != 1 || len(s.System.ActivationScripts) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestServerThatIsNotNamed(t *testing.T) {
	t.Parallel()
	s := mustEvaluate(t, "", "snowdrop.enable = true; snowdrop.server = null;")
	if got := s.Environment.Etc[releaseFile].Text; got != "{}\n" {
		t.Errorf("release.json %q", got)
	}
	if len(s.Nix.Settings) != 0 {
		t.Errorf("settings of Nix: %v", s.Nix.Settings)
	}
	if text := s.Environment.Etc[configurationFile].Text; !strings.Contains(text, "snowdrop switch SERVER") || strings.Contains(text, "#SERVER") {
		t.Errorf("instructions:\n%s", text)
	}
	if _, err := evaluate(t, "", "snowdrop.enable = true;"); err == nil || !strings.Contains(err.Error(), "snowdrop.server' is used, and nobody sets it") {
		t.Errorf("error %v", err)
	}
}

// orWeb lets the server be web where the text does not say which it is.
func orWeb(configuration string) string {
	if strings.HasPrefix(configuration, "server") {
		return configuration
	}
	return `server = "web"; ` + configuration
}

// These would end up in a Nix expression, a shell's command and a terminal.
func TestWordsThatCouldBreakOutAreRefused(t *testing.T) {
	t.Parallel()
	for _, configuration := range []string{
		`server = "Web";`, `server = "a b";`, `server = "";`, `server = "a'b";`,
		`flake = "x'';";`, `flake = "x y";`, `flake = "\${x}";`, `flake = "x\ny";`, `flake = "x#web";`,
		`revision = "a'b";`, `revision = "a\nb";`, `lingeringUsers = [ "a b" ];`, `lingeringUsers = [ "../a" ];`,
	} {
		if _, err := evaluate(t, "", "snowdrop = { enable = true; "+orWeb(configuration)+" };"); err == nil || !strings.Contains(err.Error(), "is no string matching") {
			t.Errorf("%s: %v", configuration, err)
		}
	}
	if _, err := evaluate(t, "", enabled+`system.configurationRevision = "a'b";`); err == nil || !strings.Contains(err.Error(), "configurationRevision is") {
		t.Errorf("error %v", err)
	}
}

func TestPlainRebuildStopsWithTheInstructions(t *testing.T) {
	t.Parallel()
	s := mustEvaluate(t, "", whole)
	file := filepath.Join(t.TempDir(), "configuration.nix")
	if err := os.WriteFile(file, []byte(s.Environment.Etc[configurationFile].Text), 0o600); err != nil {
		t.Fatal(err)
	}
	// nixos-rebuild imports it as a module.
	_, errs, err := run(t, "nix-instantiate", "--eval", "--readonly-mode", "-E", "(import "+file+") { }")
	if err == nil || !strings.Contains(errs, "nixos-rebuild switch --flake 'github:acme/servers#web'") {
		t.Errorf("%v\n%s", err, errs)
	}
}

func TestConfigurationOfTheUsersIsKept(t *testing.T) {
	t.Parallel()
	s := mustEvaluate(t, "", whole)
	etc := t.TempDir()
	file := filepath.Join(etc, configurationFile)
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(s.System.ActivationScripts["snowdrop"].Text, "/etc/", etc+"/")
	activate := func() []string {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "sh", "-euc", script).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v, %s", err, out)
		}
		files, err := filepath.Glob(file + "*")
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		return files
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"nothing there", func() {}, nil},
		{"the user's", func() { put("{ }") }, []string{"configuration.nix.before-snowdrop"}},
		{"once more", func() { put("{ a = 1; }") }, []string{"configuration.nix.before-snowdrop", "configuration.nix.before-snowdrop.~1~"}},
		{"ours, from the image", func() { put(s.Environment.Etc[configurationFile].Text) }, []string{"configuration.nix", "configuration.nix.before-snowdrop", "configuration.nix.before-snowdrop.~1~"}},
	}
	for _, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, activate()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", step.name, diff)
		}
	}
}
