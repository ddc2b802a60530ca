# Sourced by test.sh: makes sure that what the tests need is here, and ends the run otherwise.
#
#   go >= 1.26     everything
#   cc             the race detector needs cgo; the product does not
#   git            version stamps
#   node >= 20.18.1  the interoperability tests run the official Node library
#   npm            installs that library
#   systemd        judges the units of deploy/systemd; without it that test is skipped
#   postgresql, mariadb-server   the store's tests start servers of their own from these packages;
#                  CPM_NO_DATABASES=1 leaves those tests out
#
# What is missing is installed from Debian's packages when this is root on such a machine. A Node
# that Debian has too old is taken from npm instead, into .tools/node, and touches nothing else.

node_new_enough() {
  [ "$({ echo v20.18.1; node --version 2>/dev/null || echo v0; } | sort -V | head -n 1)" = v20.18.1 ]
}

go_new_enough() {
  local minor
  minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 26 ]
}

# As Debian installs them: PostgreSQL's programs are not in the PATH.
have_postgresql() {
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

have_mariadb() {
  [ -x "$(PATH=$PATH:/usr/sbin command -v mariadbd)" ] && command -v mariadb-install-db >/dev/null
}

install_from_debian() {
  local wanted=() policy=/usr/sbin/policy-rc.d servers=0 ours=0
  command -v cc >/dev/null || wanted+=(gcc libc6-dev)
  command -v git >/dev/null || wanted+=(git)
  command -v node >/dev/null || wanted+=(nodejs)
  command -v npm >/dev/null || wanted+=(npm)
  command -v systemd-analyze >/dev/null || wanted+=(systemd)
  if [ "${CPM_NO_DATABASES:-}" != 1 ]; then
    have_postgresql || { wanted+=(postgresql); servers=1; }
    have_mariadb || { wanted+=(mariadb-server); servers=1; }
  fi
  if [ ${#wanted[@]} -eq 0 ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    return 0
  fi
  echo "installing ${wanted[*]}"
  # The packages would start servers for everybody; the tests start their own. The policy says no until they are installed.
  if [ "$servers" = 1 ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && ours=1
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" || true
  if [ "$ours" = 1 ]; then rm -f "$policy"; fi
}

install_node_from_npm() {
  if node_new_enough || ! command -v npm >/dev/null; then
    return 0
  fi
  local arch
  case $(uname -sm) in
    "Linux x86_64") arch=x64 ;;
    "Linux aarch64") arch=arm64 ;;
    *) return 0 ;;
  esac
  echo "node here is $(node --version 2>/dev/null || echo missing), taking version 20 from npm"
  npm install --no-save --no-audit --no-fund --silent --prefix .tools/node "node-linux-$arch@20" || true
  PATH=$PWD/.tools/node/node_modules/node-linux-$arch/bin:$PATH
}

require() {
  local missing=()
  go_new_enough || missing+=("go >= 1.26")
  command -v cc >/dev/null || missing+=("a C compiler")
  command -v git >/dev/null || missing+=(git)
  node_new_enough || missing+=("node >= 20.18.1")
  command -v npm >/dev/null || missing+=(npm)
  if [ "${CPM_NO_DATABASES:-}" != 1 ]; then
    have_postgresql || missing+=("the Debian package postgresql (or set CPM_NO_DATABASES=1)")
    have_mariadb || missing+=("the Debian package mariadb-server (or set CPM_NO_DATABASES=1)")
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    printf 'missing: %s\n' "${missing[@]}" >&2
    return 1
  fi
}

install_from_debian
install_node_from_npm
require
echo "$(go env GOVERSION), node $(node --version), npm $(npm --version), $(nproc) cores"
