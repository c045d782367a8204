package lab_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/digitalocean/godo"

	"github.com/versatus/snowdrop/internal/contract"
	"github.com/versatus/snowdrop/internal/lab"
)

// checked is a client whose every request and answer is held against
// DigitalOcean's own description.
func checked(t *testing.T, l *lab.Lab, token string) *godo.Client {
	t.Helper()
	v, err := contract.Load(contract.SpecFile(t, "digitalocean.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := godo.New(&http.Client{Transport: v.Transport(&bearer{token}, func(err error) { t.Error(err) })}, godo.SetBaseURL(l.APIURL()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryAnswerOfTheAPIFitsDigitalOceansDescription(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1", Tags: []string{"web"}}, {Name: "six", IPv6: true}}})
	image := importImage(t, l, "snowdrop-web-1", upload(t, l, "nixos.raw.gz", compressed(t, webSpec())))
	web := l.State().Droplet("web-1")
	all := &godo.ListOptions{PerPage: 1}
	c := checked(t, l, l.Token())
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx := t.Context()

	_, _, err := c.Account.Get(ctx)
	must("account", err)
	_, _, err = c.Images.List(ctx, all)
	must("images", err)
	_, _, err = c.Images.ListUser(ctx, &godo.ListOptions{PerPage: 1, Page: 2})
	must("own images", err)
	_, _, err = c.Images.GetByID(ctx, image.ID)
	must("image", err)
	_, _, err = c.Images.ListByTag(ctx, "snowdrop", nil)
	must("images by tag", err)
	_, _, err = c.Images.Update(ctx, image.ID, &godo.ImageUpdateRequest{Name: "renamed"})
	must("update", err)
	transfer, _, err := c.ImageActions.Transfer(ctx, image.ID, &godo.ActionRequest{"type": "transfer", "region": "ams3"})
	must("transfer", err)
	_, _, err = c.ImageActions.Get(ctx, image.ID, transfer.ID)
	must("image action", err)
	_, _, err = c.Droplets.List(ctx, all)
	must("droplets", err)
	_, _, err = c.Droplets.ListByTag(ctx, "web", nil)
	must("droplets by tag", err)
	_, _, err = c.Droplets.ListByName(ctx, "WEB-1", nil)
	must("droplets by name", err)
	_, _, err = c.Droplets.Get(ctx, web.ID)
	must("droplet", err)
	rebuilding, _, err := c.DropletActions.RebuildByImageID(ctx, web.ID, image.ID)
	must("rebuild", err)
	_, _, err = c.DropletActions.Get(ctx, web.ID, rebuilding.ID)
	must("droplet action", err)
	_, _, err = c.Droplets.Actions(ctx, web.ID, nil)
	must("droplet actions", err)
	_, _, err = c.Actions.List(ctx, all)
	must("actions", err)
	_, _, err = c.Tags.List(ctx, nil)
	must("tags", err)
	_, _, err = c.Tags.Create(ctx, &godo.TagCreateRequest{Name: "new"})
	must("tag", err)
	_, err = c.Tags.TagResources(ctx, "new", &godo.TagResourcesRequest{Resources: []godo.Resource{{ID: strconv.Itoa(web.ID), Type: "droplet"}}})
	must("tag a droplet", err)
	_, _, err = c.Tags.Get(ctx, "new")
	must("get tag", err)
	_, err = c.Tags.Delete(ctx, "new")
	must("delete tag", err)
	_, _, err = c.Regions.List(ctx, nil)
	must("regions", err)
	_, _, err = c.Sizes.List(ctx, nil)
	must("sizes", err)
	_, _, err = c.Snapshots.List(ctx, nil)
	must("snapshots", err)
	key, _, err := c.Keys.Create(ctx, &godo.KeyCreateRequest{Name: "me", PublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnR+ihRX/C1wTbptfYmvWxbIbaN1xMT46b0XsIVxxSz"})
	must("key", err)
	_, _, err = c.Keys.List(ctx, nil)
	must("keys", err)
	_, err = c.Keys.DeleteByFingerprint(ctx, key.Fingerprint)
	must("delete key", err)
	made, _, err := c.Droplets.Create(ctx, &godo.DropletCreateRequest{Name: "new", Region: "nyc3", Size: "s-1vcpu-1gb", SSHKeys: []godo.DropletCreateSSHKey{}, Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}})
	must("create droplet", err)
	_, _, err = c.Droplets.CreateMultiple(ctx, &godo.DropletMultiCreateRequest{Names: []string{"a", "b"}, Region: "nyc3", Size: "s-1vcpu-1gb", SSHKeys: []godo.DropletCreateSSHKey{}, Image: godo.DropletCreateImage{ID: image.ID}})
	must("create droplets", err)
	until(t, "the droplet is made", func() bool {
		d, _, err := c.Droplets.Get(ctx, made.ID)
		must("get droplet", err)
		return d.Status == "active" && !d.Locked
	})
	off, _, err := c.DropletActions.PowerOff(ctx, made.ID)
	must("power off", err)
	until(t, "it is off", func() bool {
		a, _, err := c.Actions.Get(ctx, off.ID)
		must("action", err)
		return a.Status == "completed"
	})
	_, err = c.Droplets.Delete(ctx, made.ID)
	must("delete droplet", err)
	_, err = c.Images.Delete(ctx, image.ID)
	must("delete image", err)
}

func TestFailuresFitTheDescriptionToo(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{
		Tokens:   []lab.Token{{Value: "reader", Scopes: []string{"image:read", "droplet:read"}}},
		Droplets: []lab.DropletSpec{{Name: "web-1"}},
	})
	ctx := t.Context()
	for _, tt := range []struct {
		name, token string
		status      int
		call        func(c *godo.Client) (*godo.Response, error)
	}{
		{"no such image", l.Token(), 404, func(c *godo.Client) (*godo.Response, error) {
			_, r, err := c.Images.GetByID(ctx, 1)
			return r, err
		}},
		{"wrong token", "nobody", 401, func(c *godo.Client) (*godo.Response, error) {
			_, r, err := c.Account.Get(ctx)
			return r, err
		}},
		{"missing scope", "reader", 403, func(c *godo.Client) (*godo.Response, error) {
			r, err := c.Images.Delete(ctx, 1)
			return r, err
		}},
		{"no such image to rebuild from", l.Token(), 422, func(c *godo.Client) (*godo.Response, error) {
			_, r, err := c.DropletActions.RebuildByImageID(ctx, l.State().Droplets[0].ID, 1)
			return r, err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := tt.call(checked(t, l, tt.token))
			if err == nil || r == nil || r.StatusCode != tt.status {
				t.Fatalf("answered %v, %v; want status %d", r, err, tt.status)
			}
			if r.Header.Get("x-request-id") == "" {
				t.Error("no request id")
			}
		})
	}
}
