package lab_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/space"
)

func ask(t *testing.T, method, link string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestOnlyRightSignaturesOpenAnObject(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{})
	link := upload(t, l, "images/a file+.raw.gz", []byte("content"))
	plain, _, _ := strings.Cut(link, "?")
	changed := func(name, value string) string {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	for _, tt := range []struct {
		name, method, link string
		status             int
		says               string
	}{
		{"presigned", "GET", link, 200, "content"},
		{"HEAD with a presigned GET", "HEAD", link, 403, ""},
		{"no signature", "GET", plain, 403, "AccessDenied"},
		{"longer than it was signed for", "GET", changed("X-Amz-Expires", "9999"), 403, "SignatureDoesNotMatch"},
		{"another object", "GET", strings.Replace(link, "file", "fool", 1), 403, "SignatureDoesNotMatch"},
		{"another key", "GET", changed("X-Amz-Credential", "OTHER/"+time.Now().UTC().Format("20060102")+"/nyc3/s3/aws4_request"), 403, "InvalidAccessKeyId"},
		{"too long", "GET", changed("X-Amz-Expires", "700000"), 400, "AuthorizationQueryParametersError"},
		{"expired", "GET", changed("X-Amz-Date", "20200101T000000Z"), 400, "AuthorizationHeaderMalformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, body := ask(t, tt.method, tt.link)
			if status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("answered %d %s; want %d %s", status, body, tt.status, tt.says)
			}
		})
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{})
	access, _ := l.Keys()
	c, err := minio.New(strings.TrimPrefix(l.SpaceURL(), "http://"), &minio.Options{Creds: credentials.NewStaticV4(access, "wrong", ""), Region: "nyc3"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PutObject(t.Context(), l.Bucket(), "a", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	if code := minio.ToErrorResponse(err).Code; code != "SignatureDoesNotMatch" {
		t.Errorf("put said %v; want SignatureDoesNotMatch", err)
	}
}

// ourSpace is the client of the product.
func ourSpace(t *testing.T, l *lab.Lab) *space.Client {
	t.Helper()
	access, secret := l.Keys()
	c, err := space.New(space.Config{Bucket: l.Bucket(), Region: "nyc3", Endpoint: l.SpaceURL(), Prefix: "p/", AccessKey: access, SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOurOwnClientOfTheSpaceWorks(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{})
	c := ourSpace(t, l)
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB
	big := bytes.Repeat(data, 12)                           // several parts
	if _, err := c.Upload(t.Context(), "images/big", bytes.NewReader(big), space.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), "images/big")
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("got %d bytes of %d, %v", len(got), len(big), err)
	}
	list, err := c.List(t.Context(), "images/")
	if err != nil || len(list) != 1 || list[0].Size != int64(len(big)) {
		t.Errorf("list is %+v, %v", list, err)
	}
	if err := c.SetPublic(t.Context(), "images/big", true); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, "HEAD", c.PublicURL("images/big")); status != 200 {
		t.Errorf("HEAD of a public object answered %d", status)
	}
	if err := c.SetPublic(t.Context(), "images/big", false); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, "GET", c.PublicURL("images/big")); status != 403 {
		t.Errorf("GET of a private object answered %d", status)
	}
	if err := c.Delete(t.Context(), "images/big"); err != nil {
		t.Error(err)
	}
	if s := l.State(); len(s.Objects) != 0 || len(s.Uploads) != 0 {
		t.Errorf("left behind: %+v %+v", s.Objects, s.Uploads)
	}
}

func TestAPartThatFailsIsSeen(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Faults: []lab.Fault{{Kind: "s3-part", Target: "*big", Count: -1, Status: 403}}})
	core := minio.Core{Client: s3(t, l)}
	id, err := core.NewMultipartUpload(t.Context(), l.Bucket(), "big", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := core.PutObjectPart(t.Context(), l.Bucket(), "big", id, 1, strings.NewReader("x"), 1, minio.PutObjectPartOptions{}); err == nil {
		t.Error("the part went through")
	}
	state := l.State()
	if diff := cmp.Diff([]string{"big"}, []string{state.Uploads[0].Key}); diff != "" {
		t.Error(diff)
	}
	l.AgeUploads(48 * time.Hour)
	if age := time.Since(l.State().Uploads[0].At); age < 47*time.Hour {
		t.Errorf("the upload is %s old", age)
	}
	if err := core.AbortMultipartUpload(t.Context(), l.Bucket(), "big", id); err != nil || len(l.State().Uploads) != 0 {
		t.Errorf("abort: %v, %+v left", err, l.State().Uploads)
	}
}
