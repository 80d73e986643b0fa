# simpost. A newcomer's two commands are `make demo` and `make test`.
#
#   make build      ./simpost
#   make demo       the daemon with two emulated modems, and a message between them
#   make test       everything that must pass
#   make lint       what of it needs no test run: gofmt, vet, staticcheck
#   make faults     what proves the promises: crashes, power cuts, dying modems, mutants, fuzzers; six minutes
#   make faults-full  the full counts of it, or SHARD=i/n of them
#   make bench      measure everything once, in three minutes; nothing passes or fails
#   make bench-peers  beside smstools, gammu-smsd and Kannel, installed if missing, into docs/benchmarks.md
#   make fuzz       each fuzz target for FUZZTIME (1m)
#   make deb        the Debian package of this machine's architecture, or of ARCH=, into dist/
#   make debs       those of amd64, arm64 and armhf
#   make qemu       the package at work in a Debian under QEMU, as root: USB modems are pulled, the power
#                   is cut; ROUNDS=20 of each
#   make cross      the packages for arm64 and armhf, on emulated processors, as root
#   make install    binary, user, group, unit, udev rules and configuration (as root)
#   make uninstall  takes them away again, but keeps configuration and messages

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=

# VERSION is empty outside a tagged checkout; the program then says "devel".
VERSION := $(shell git describe --tags --exact-match 2>/dev/null)
# In a checkout that belongs to another user git says nothing, and go build would stop.
VCS     := $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)

SYSCONFDIR = $(DESTDIR)/etc/simpost
UNITDIR    = $(DESTDIR)/etc/systemd/system
RULESDIR   = $(DESTDIR)/etc/udev/rules.d
BINDIR     = $(DESTDIR)$(PREFIX)/bin

.PHONY: all build demo test lint bench bench-peers fuzz deb debs qemu cross install uninstall clean tools go-tests

all: build

# tools says in one sentence what is missing. SQLite is C, hence the compiler.
tools:
	@command -v $(GO) >/dev/null 2>&1 || { echo "simpost: Go is missing: install Go 1.26 or newer." >&2; exit 1; }
	@printf '#include <stdlib.h>\n' | $$($(GO) env CC) -E - >/dev/null 2>&1 || \
		{ echo "simpost: the C compiler is missing: sudo apt-get install gcc libc6-dev" >&2; exit 1; }

build: tools
	CGO_ENABLED=1 $(GO) build -trimpath $(VCS) -ldflags '-X main.Version=$(VERSION)' -o simpost ./cmd/simpost

demo: build
	./simpost demo

# The short fuzz counts inputs, for a time that ends in the middle of one fails it, and
# begins with those of the repository: what is in Go's cache after hours takes too long.
test: lint go-tests
	@cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
		$(MAKE) --no-print-directory fuzz FUZZTIME=2000x FUZZCACHE="$$cache"

# What takes weeks of emulated time is run without the race detector.
go-tests: tools
	CGO_ENABLED=1 GO=$(GO) test/race -timeout 20m ./...
	CGO_ENABLED=1 $(GO) test ./daemon

lint: tools
	@files=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) && \
		{ [ -z "$$files" ] || { printf 'simpost: not formatted, run gofmt -w on:\n%s\n' "$$files" >&2; exit 1; }; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# FAULTS=-only=mutants runs one kind; go run ./test/faults -h lists them.
FAULTS ?=
faults: tools
	CGO_ENABLED=1 $(GO) run ./test/faults $(FAULTS)

# On two cores a shard of SHARD=1/4 takes up to half an hour; the first has the mutants too.
SHARD ?=
faults-full: tools
	CGO_ENABLED=1 $(GO) run ./test/faults -full -shard=$(SHARD) $(FAULTS)

# BENCH=-only=send measures one thing; go run ./test/bench -h lists them.
BENCH ?=
bench: tools
	CGO_ENABLED=1 $(GO) run ./test/bench $(BENCH)

# PEERS=-quick takes 8 minutes instead of more than an hour.
PEERS ?=
bench-peers: tools
	test/bench/peers-install
	CGO_ENABLED=1 $(GO) run ./test/bench -peers -docs docs/benchmarks.md $(PEERS)

# Finding the targets by their name means that none can be forgotten.
# Go shrinks every interesting input for up to a minute unless told otherwise.
FUZZTIME ?= 1m
FUZZCACHE ?=
fuzz: tools
	@set -e; found=0; \
	for file in $$(grep -rlE --include='*_test.go' '^func Fuzz' .); do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			found=1; echo "fuzz $$target in $$(dirname "$$file") for $(FUZZTIME)"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" \
				$(if $(FUZZCACHE),-args -test.fuzzcachedir="$(FUZZCACHE)"); \
		done; \
	done; \
	[ $$found = 1 ] || { echo "simpost: no fuzz target found" >&2; exit 1; }

# Packages run on any Debian or Raspberry Pi OS: linked without a libc of the
# system's. armhf is built with the compiler of armel, because Debian's armhf
# needs an ARMv7: so it also runs on the first Raspberry Pi and the Zero.
ARCH         ?= $(shell dpkg --print-architecture)
GOARCH_amd64  = GOARCH=amd64
GOARCH_arm64  = GOARCH=arm64
GOARCH_armhf  = GOARCH=arm GOARM=6
GCC_amd64     = x86-64-linux-gnu
GCC_arm64     = aarch64-linux-gnu
GCC_armhf     = arm-linux-gnueabi
LIBC_amd64    = libc6-dev
LIBC_arm64    = libc6-dev-arm64-cross
LIBC_armhf    = libc6-dev-armel-cross
CROSS         = $(subst x86-64,x86_64,$(GCC_$(ARCH)))-gcc
STATIC        = -trimpath $(VCS) -tags 'osusergo netgo sqlite_omit_load_extension' \
	-ldflags '-s -w -X main.Version=$(VERSION) -linkmode external -extldflags "-static"'

deb: build
	@[ -n "$(GCC_$(ARCH))" ] || { echo "simpost: there is no package for $(ARCH): ARCH is amd64, arm64 or armhf" >&2; exit 1; }
	@command -v $(CROSS) >/dev/null || \
		{ echo "simpost: the compiler is missing: sudo apt-get install gcc-$(GCC_$(ARCH)) $(LIBC_$(ARCH))" >&2; exit 1; }
	$(GOARCH_$(ARCH)) CC=$(CROSS) CGO_ENABLED=1 $(GO) build $(STATIC) -o dist/$(ARCH)/simpost ./cmd/simpost
	configs/debian/build $(ARCH) dist/$(ARCH)/simpost ./simpost dist

debs:
	@set -e; for arch in amd64 arm64 armhf; do $(MAKE) --no-print-directory deb ARCH=$$arch; done

# Both keep a Debian in ~/.cache/simpost-qemu, or in SIMPOST_QEMU_CACHE. Their needs:
# apt-get install mmdebstrap qemu-system-x86
# apt-get install qemu-system-arm qemu-user-static binfmt-support arch-test
ROUNDS ?= 20
QEMU   ?=
qemu: deb
	SIMPOST_QEMU=$(ROUNDS) $(GO) test -count=1 -v -timeout 6h $(QEMU) ./test/qemu

cross: build
	@set -e; for arch in arm64 armhf; do $(MAKE) --no-print-directory deb ARCH=$$arch; done
	SIMPOST_CROSS=1 $(GO) test -count=1 -v -timeout 2h $(QEMU) ./test/qemu

# Build as yourself, then `sudo make install`: root needs neither Go nor a compiler.
install:
	@[ -x simpost ] || { echo "simpost: build it first, as yourself: make build" >&2; exit 1; }
	install -D -m 0755 simpost $(BINDIR)/simpost
	install -d -m 0755 $(SYSCONFDIR) $(UNITDIR) $(RULESDIR)
	@if [ -e $(SYSCONFDIR)/simpost.toml ]; then \
		echo "$(SYSCONFDIR)/simpost.toml stays as it is"; \
	else \
		install -m 0644 configs/simpost.toml $(SYSCONFDIR)/simpost.toml; \
	fi
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' configs/simpost.service >$(UNITDIR)/simpost.service
	chmod 0644 $(UNITDIR)/simpost.service
	install -m 0644 configs/70-simpost.rules $(RULESDIR)/70-simpost.rules
ifeq ($(DESTDIR),)
	getent group simpost >/dev/null || groupadd --system simpost
	getent passwd simpost >/dev/null || useradd --system --gid simpost --home-dir /var/lib/simpost \
		--no-create-home --shell /usr/sbin/nologin simpost
	if getent group gpio >/dev/null; then usermod --append --groups gpio simpost; fi
	if [ -d /run/udev ]; then udevadm control --reload && udevadm trigger --subsystem-match=usb --subsystem-match=tty --subsystem-match=gpio; fi
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "Start it with: sudo systemctl enable --now simpost; the settings are in /etc/simpost/simpost.toml"
	@echo "Members of the group simpost may use it: sudo adduser YOU simpost, and log in again."
endif

uninstall:
ifeq ($(DESTDIR),)
	if [ -d /run/systemd/system ]; then systemctl disable --now simpost || true; fi
endif
	rm -f $(BINDIR)/simpost $(UNITDIR)/simpost.service $(RULESDIR)/70-simpost.rules
ifeq ($(DESTDIR),)
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	if [ -d /run/udev ]; then udevadm control --reload; fi
	@echo "Kept: /etc/simpost, /var/lib/simpost, and the user and group simpost."
endif

clean:
	rm -rf simpost dist
