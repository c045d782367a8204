package fleet

import "github.com/invopop/jsonschema"

// none is the schema of a key without a value.
func none() *jsonschema.Schema { return &jsonschema.Schema{Type: "null"} }

// names bounds the keys of a mapping.
func (r *refiner) names(key string) {
	p := r.key("Fleet", key)
	p.PropertyNames = &jsonschema.Schema{Pattern: namePattern}
}

func (r *refiner) fleet() {
	r.root.PatternProperties = map[string]*jsonschema.Schema{"^x-": jsonschema.TrueSchema}
	r.pattern("Fleet", "flake", `^[^#]+$`, ".", "github:acme/infra")
	r.preset("Fleet", "flake", ".")
	r.names("servers")
	r.names("cycles")
	servers := r.key("Fleet", "servers")
	one := uint64(1)
	servers.MinProperties = &one
	servers.AdditionalProperties = &jsonschema.Schema{
		AnyOf: []*jsonschema.Schema{servers.AdditionalProperties, none()},
	}
	defaults := r.key("Fleet", "defaults")
	*defaults = jsonschema.Schema{
		AnyOf:       []*jsonschema.Schema{{Ref: defaults.Ref}, none()},
		Description: defaults.Description,
	}

	r.pattern("Space", "bucket", bucketPattern, "acme-nixos")
	r.pattern("Space", "region", regionPattern, "nyc3", "fra1", "ams3")
	r.pattern("Space", "endpoint", `^https?://[^/?#]+/?$`, "https://s3.eu-central-1.amazonaws.com")
	r.pattern("Space", "prefix", `^([^/].*)?$`, "snowdrop/")
	r.enum("Space", "delivery", deliveries())
	r.preset("Space", "import-timeout", "60m")
	r.preset("Space", "keep-objects", false)
	r.def("Space").AnyOf = []*jsonschema.Schema{{Required: []string{"region"}}, {Required: []string{"endpoint"}}}
	r.key("Nix", "options").AdditionalProperties = &jsonschema.Schema{
		AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}},
	}
	r.key("Nix", "options").Examples = []any{map[string]any{"cores": 4, "max-jobs": "auto"}}
	r.key("Cycle", "cron").Examples = []any{"0 3 * * *", "0 3 1,15 * *"}
	r.pattern("Cycle", "ref", refPattern, "main", LatestTag)
	r.enum("Update", "via", updateWays())
	r.items("Update", "inputs", inputPattern, "nixpkgs")
}

func (r *refiner) server() {
	r.pattern("Server", "image", `#.`, ".#web-image", ".#nixosConfigurations.web.config.system.build.digitalOceanImage")
	r.pattern("Server", "system", `#.`, ".#nixosConfigurations.web.config.system.build.toplevel")
	r.pattern("Server", "vm", `#.`, ".#nixosConfigurations.web.config.system.build.vm")
	r.enum("Server", "provider", providers())
	r.pattern("Host", "name", dropletPattern, "db-1")
	r.pattern("Host", "address", hostPattern, "203.0.113.7", "db-1.example.org")
	r.pattern("Server", "url", urlPattern, "https://www.example.com")
	r.number("Server", "keep", 1, -1, 3)

	r.items("Droplets", "names", dropletPattern, "web-1")
	one := uint64(1)
	r.key("Droplets", "names").MinItems = &one
	r.key("Droplets", "names").UniqueItems = true
	r.pattern("Droplets", "tag", tagPattern, "web")
	r.def("Droplets").Not = &jsonschema.Schema{Required: []string{"names", "tag"}}

	r.pattern("SSH", "user", userPattern)
	r.preset("SSH", "user", "root")
	r.number("SSH", "port", 1, 65535, 22)
	r.enum("SSH", "address", addresses())
	r.enum("SSH", "host-key-policy", policies())
	for _, key := range []string{"host-keys", "certificate-authorities"} {
		r.items("SSH", key, `^(ssh|ecdsa|sk)-`, "ssh-ed25519 AAAA…")
	}
	r.pattern("Jump", "host", hostPattern, "bastion.example.org")
	r.number("Jump", "port", 1, 65535, 22)
	r.pattern("Jump", "user", userPattern)
	r.items("Jump", "host-keys", `^(ssh|ecdsa|sk)-`)

	r.pattern("File", "path", `^/.*[^/]$`, "/var/lib/sops/key.txt")
	r.pattern("File", "mode", modePattern, "0400")
	r.preset("File", "mode", "0400")
	r.pattern("File", "owner", userPattern)
	r.preset("File", "owner", "root")
	r.pattern("File", "group", userPattern)
	r.items("File", "restart", unitPattern, "sops-install.service")

	r.pattern("Source", "env", envPattern, "WEB_AGE_KEY")
	command := r.key("Source", "command")
	*command = jsonschema.Schema{
		OneOf:       []*jsonschema.Schema{{Type: "string", MinLength: &one}, {Type: "array", Items: command.Items, MinItems: &one}},
		Description: command.Description,
		Examples:    []any{[]string{"sops", "decrypt", "web.key"}, "sops decrypt web.key | head -1"},
	}
	r.def("Source").MinProperties, r.def("Source").MaxProperties = &one, &one
}

func (r *refiner) verify() {
	r.preset("Rollout", "batch", 1)
	r.enum("Rollout", "on-failure", reactions())
	r.number("Rollout", "max-failures", 0, -1, 0)
	r.preset("Rollout", "rebuild-timeout", "20m")
	r.preset("Rollout", "confirm-timeout", "60s")

	r.items("Verify", "units", unitPattern, "nginx.service")
	r.items("Verify", "allow-failed", `(`+unitPattern+`)|([*?\[])`, "systemd-networkd-wait-online.service")
	users := r.key("Verify", "user-units")
	users.PropertyNames = &jsonschema.Schema{Pattern: userPattern}
	users.AdditionalProperties.Items.Pattern = unitPattern
	ports := r.key("Verify", "tcp").Items
	ports.Minimum, ports.Maximum = "1", "65535"
	r.items("Verify", "run", `\S`, "curl -fsS localhost:9292/health")
	r.preset("Verify", "soak", "10s")
	r.preset("Verify", "timeout", "10m")
	r.pattern("HTTPCheck", "url", `^(https?://|\{\{)`, "http://{{.IPv4}}/healthz")
	r.number("HTTPCheck", "status", 100, 599, 200)
}
