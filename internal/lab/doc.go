// Package lab is the outside systems in a box, served on loopback by one process:
// DigitalOcean's API, an S3 bucket, GitHub's API with its pages, droplets, and a jump
// host that leads to them.
// It serves "snowdrop lab", "snowdrop demo" and tests. Real clients (doctl, rclone,
// godo, ssh) work against it unchanged.
//
// # What it checks
//
// A custom image's URL is asked with HEAD and fetched with GET; the bytes are
// decompressed and looked at; what DigitalOcean would refuse ends as deleted, with
// an error message. Images are NEW, then pending, then available. Actions take
// time; a busy droplet answers 422, as does an image that is in another region, too
// large for the disk, or meant for a droplet with IPv6. Tokens have scopes and
// limits. Every S3 request must carry a right signature of version 4; a HEAD with a
// presigned GET is refused, as the real service does.
//
// # Droplets
//
// Droplets have addresses of 203.0.113.0/24 and are reached through the lab's SSH
// jump host (SNOWDROP_SSH_JUMP). Simulated ones run in the process: an SSH server,
// a file system in memory and a shell that runs real scripts. What their systemd
// says is written in the image, see ImageSpec and MakeImage. Real ones
// (Config.Real) are booted from the uploaded image by systemd-nspawn.
//
// # GitHub
//
// One repository (Config.GitHub), whose commits and pull requests are put in by Go
// (Lab.GitHub) or by other processes at /lab/github/. It enforces GitHub's limits
// and the permissions of tokens, and its pages show what people would see.
//
// # Faults
//
// A Fault is armed by Lab.Fault, by the text that ParseFault reads, or by POST to
// /lab/faults (GET lists them, DELETE disarms all). Its target may hold "*":
//
//	api-error           METHOD /path   answer 500 (or status=…) without doing anything
//	api-lost            METHOD /path   do it, then answer 502: the answer is lost
//	api-drop            METHOD /path   do it, then close the connection without an answer
//	api-rate-limit      METHOD /path   answer 429 with retry-after (delay=…)
//	api-slow            METHOD /path   answer late, by delay=…
//	import-failed       image name     the import ends as deleted with message=…
//	import-stuck        image name     the import stays pending
//	import-unreachable  image name     answer 400 unreachable and leave a NEW image behind
//	action-errored      droplet name   the next action ends as errored
//	action-stuck        droplet name   the next action stays in-progress
//	droplet-busy        droplet name   answer 422 pending event to an action
//	boot-failed-unit    droplet name   the next boot has a failed unit
//	boot-crash-loop     droplet name   the next boot has a unit that crashes for ever
//	boot-hang           droplet name   the next boot never gets past starting
//	boot-old-system     droplet name   the next rebuild comes up with the former system
//	boot-never          droplet name   the next boot never answers
//	s3-error            METHOD /b/key  answer 500 (or status=…) to a request of the Space
//	s3-part             METHOD /b/key  answer 500 (or status=…) to an uploaded part
//	s3-slow             METHOD /b/key  answer late, by delay=…
//	ssh-hang            droplet name   never finish the SSH handshake
//	ssh-refuse          droplet name   refuse the connection
//	github-error        METHOD /path   answer 500 (or status=…) without doing anything
//	github-lost         METHOD /path   do it, then answer 502: the answer is lost
//	github-drop         METHOD /path   do it, then close the connection without an answer
//	github-rate-limit   METHOD /path   answer 403 with retry-after (delay=…): too many at once
//	github-slow         METHOD /path   answer late, by delay=…
package lab
