#!/usr/bin/env bash
# Prepares the real programs that the interop suite runs against, once, in a cache outside the checkout:
#
#   bin/prometheus-2, bin/promtool-2   Prometheus 2.x, Debian's package
#   bin/prometheus-3, bin/promtool-3   Prometheus 3, built from its Go module; speaks Remote Write 2.0-rc.4
#   bin/node_exporter                  node_exporter, Debian's package
#   bin/consul                         Consul's agent, built from its Go module
#   bin/process_exporter, bin/blackbox_exporter, bin/pushgateway   Debian's packages
#   bin/victoria-metrics, bin/vmagent  VictoriaMetrics, Debian's package
#   bin/thanos                         Thanos, built from its Go module
#   bin/otelcol                        an OpenTelemetry Collector of a few components (otelcol/main.go), built
#
#   test/interop/peers.sh          prepare what is missing, say how long it took
#   test/interop/peers.sh check    prepare nothing, fail if one is missing (what the suite does before it starts)
#
# Nothing is installed into the system: packages are downloaded and unpacked into the cache, so that no service starts.
set -euo pipefail
shopt -s inherit_errexit

# The newest releases whose dependencies the module proxy serves without exception. Prometheus 3.8 is the first that writes 2.0-rc.4.
PROMETHEUS3=3.15.0
PROMETHEUS3_MODULE=v0.315.0
OTELCOL=0.162.0
OTELCOL_MODULE=v1.68.0
# The last before modules that the proxy does not serve; it replaces its own client library with a folder beside it, this is the published one.
CONSUL=1.15.4
CONSUL_API=v1.27.0
# The last that Go 1.26.0 builds. What it replaces, its go.mod says; only that of the main module counts.
THANOS=0.42.4
THANOS_REPLACES=(
  'capnproto.org/go/capnp/v3 => capnproto.org/go/capnp/v3 v3.0.0-alpha.30'
  'github.com/bradfitz/gomemcache => github.com/themihai/gomemcache v0.0.0-20180902122335-24332e2d58ab'
  'github.com/sercand/kuberesolver/v4 => github.com/sercand/kuberesolver/v5 v5.1.1'
  'github.com/vimeo/galaxycache => github.com/thanos-community/galaxycache v0.0.0-20211122094458-3a32041a1f1e'
  'gopkg.in/alecthomas/kingpin.v2 => github.com/alecthomas/kingpin v1.3.8-0.20210301060133-17f40c25f497'
  'zenhack.net/go/util => github.com/zenhack/go-util v0.0.0-20231005031245-66f5419c2aea'
)
GO_MIN=1.26
# The service discoveries that the suite compares; of the others the module proxy refuses some dependencies.
PROMETHEUS3_TAGS=remove_all_sd,enable_consul_sd,enable_dns_sd,enable_kubernetes_sd

here=$(cd "$(dirname "$0")" && pwd)

cache=${NARTHEX_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/narthex-peers}
bin=$cache/bin

say() { printf 'peers: %s\n' "$*"; }
die() {
  printf 'peers: %s\n' "$@" >&2
  exit 1
}

# version PROGRAM: the version it reports, nothing if it is missing or does not run.
version() { "$1" --version 2>&1 | sed -n 's/.*version \([0-9][0-9.]*\).*/\1/p' | head -n 1 || true; }

# ready NAME PREFIX: whether bin/NAME runs and is of a version that starts so.
ready() { [[ -x $bin/$1 && $(version "$bin/$1") == "$2"* ]]; }

ready_prometheus2() { ready prometheus-2 2. && ready promtool-2 2.; }
ready_prometheus3() {
  ready prometheus-3 "$PROMETHEUS3" && ready promtool-3 "$PROMETHEUS3" &&
    [[ -f $bin/prometheus-3.tags && $(<"$bin/prometheus-3.tags") == "$PROMETHEUS3_TAGS" ]]
}
ready_otelcol() { ready otelcol "$OTELCOL"; }
ready_thanos() { ready thanos "$THANOS"; }
# Which version it is, only its folder says.
ready_consul() { [[ -x $bin/consul && $(readlink "$bin/consul") == */consul-$CONSUL/consul ]]; }
ready_node_exporter() { ready node_exporter 1.; }
# Debian's build of the first does not know its version.
ready_exporters() { [[ -x $bin/process_exporter ]] && ready blackbox_exporter 0. && ready pushgateway 1.; }
# Debian's build does not know its version: that of the package stands beside it.
ready_victoria_metrics() {
  [[ -s $bin/victoria-metrics.version && -x $bin/victoria-metrics && -x $bin/vmagent ]] && "$bin/vmagent" --version >/dev/null 2>&1
}

# Quiet, and without the warning that the cache is not readable for apt's own user.
apt_get() { apt-get -qq -o APT::Sandbox::User=root "$@"; }

# debian PACKAGE PROGRAM...: what /usr/bin has, else the package unpacked into the cache; prints the folder of the programs.
debian() {
  local package=$1 program found=yes
  shift
  for program in "$@"; do [[ -x /usr/bin/$program ]] || found=no; done
  if [[ $found == yes ]]; then
    echo /usr/bin
    return
  fi
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "$package: neither in /usr/bin nor to be had without apt-get and dpkg-deb." \
      "Install the Debian or Ubuntu package '$package', or put its programs into $bin yourself."
  local work
  work=$(mktemp -d "$cache/$package.XXXXXX")
  # A new machine has no package lists; fetching them is the one thing here that needs root.
  (cd "$work" && { apt_get download "$package" || { apt_get update && apt_get download "$package"; }; }) >&2 ||
    die "$package: the package could not be downloaded. Run 'apt-get update' as root, then this again."
  dpkg-deb -x "$work/$package"_*.deb "$work"
  dpkg-deb -f "$work/$package"_*.deb Version >"$work/version"
  rm -rf "${cache:?}/$package"
  mv -T "$work" "$cache/$package"
  echo "$cache/$package/usr/bin"
}

prepare_prometheus2() {
  local from
  from=$(debian prometheus prometheus promtool)
  ln -sfn "$from/prometheus" "$bin/prometheus-2"
  ln -sfn "$from/promtool" "$bin/promtool-2"
}

prepare_node_exporter() {
  local from
  from=$(debian prometheus-node-exporter prometheus-node-exporter)
  ln -sfn "$from/prometheus-node-exporter" "$bin/node_exporter"
}

# Exporters that run without a subject of their own.
prepare_exporters() {
  local package name from
  for package in process-exporter blackbox-exporter pushgateway; do
    name=${package//-/_}
    from=$(debian "prometheus-$package" "prometheus-$package")
    ln -sfn "$from/prometheus-$package" "$bin/$name"
  done
}

prepare_victoria_metrics() {
  local from
  from=$(debian victoria-metrics victoria-metrics vmagent)
  if [[ $from == /usr/bin ]]; then
    dpkg-query -W -f '${Version}\n' victoria-metrics >"$bin/victoria-metrics.version"
  else
    cp "$cache/victoria-metrics/version" "$bin/victoria-metrics.version"
  fi
  ln -sfn "$from/victoria-metrics" "$bin/victoria-metrics"
  ln -sfn "$from/vmagent" "$bin/vmagent"
}

# module WHAT GO_MOD_LINE...: an empty module in a folder of its own that requires these, with Go's environment set; sets `go` and `work`.
module() {
  local what=$1 have
  shift
  go=$(command -v go || command -v /usr/local/go/bin/go) ||
    die "$what has to be built, and there is no Go." \
      "Install Go $GO_MIN or later (https://go.dev/doc/install) so that 'go' is on the PATH, then run this again."
  have=$("$go" env GOVERSION)
  [[ $(printf '%s\n' "$GO_MIN" "${have#go}" | sort -V | head -n 1) == "$GO_MIN" ]] ||
    die "$what needs Go $GO_MIN or later, $go is $have (https://go.dev/doc/install)."
  work=$cache/build
  rm -rf "$work"
  mkdir -p "$work"
  printf '%s\n' 'module peers' "go $GO_MIN" "${@/#/require }" >"$work/go.mod"
  export GOFLAGS='-mod=mod -trimpath -buildvcs=false' GOWORK=off CGO_ENABLED=0
}

# build WHAT LDFLAGS PACKAGE...: the programs of the module into $cache/WHAT. The tags leave out service discoveries, and with them many
# dependencies; without the tag builtinassets there is no web page, which no test needs.
build() {
  local what=$1 ldflags=$2 attempt
  shift 2
  # Downloads come first and are tried again, since one in a few hundred may fail.
  for attempt in 1 2 3; do
    if (cd "$work" && nice "$go" list -deps -tags "$tags" "$@") >/dev/null 2>"$work/download.log"; then break; fi
    grep -v '^go: \(downloading\|finding\)' "$work/download.log" >&2 || true
    ((attempt < 3)) || die "the modules of $what could not be downloaded."
    sleep $((attempt * 10))
  done
  say "modules of $what are there after ${SECONDS} s, compiling"
  (cd "$work" && nice "$go" build -tags "$tags" -ldflags "-s -w $ldflags" -o "$work/out/" "$@") || die "$what did not build."
  rm -rf "${cache:?}/$what"
  mv -T "$work/out" "$cache/$what"
  rm -rf "$work"
}

prepare_prometheus3() {
  local package=github.com/prometheus/prometheus tags=$PROMETHEUS3_TAGS
  module "Prometheus $PROMETHEUS3" "$package $PROMETHEUS3_MODULE"
  build "prometheus-$PROMETHEUS3" "-X github.com/prometheus/common/version.Version=$PROMETHEUS3" \
    "$package/cmd/prometheus" "$package/cmd/promtool"
  ln -sfn "$cache/prometheus-$PROMETHEUS3/prometheus" "$bin/prometheus-3"
  ln -sfn "$cache/prometheus-$PROMETHEUS3/promtool" "$bin/promtool-3"
  echo "$PROMETHEUS3_TAGS" >"$bin/prometheus-3.tags"
}

prepare_consul() {
  local package=github.com/hashicorp/consul tags=
  module "Consul $CONSUL" "$package v$CONSUL" "$package/api $CONSUL_API"
  mkdir "$work/consul"
  cp "$here/consul/main.go" "$work/consul/"
  build "consul-$CONSUL" '' ./consul
  ln -sfn "$cache/consul-$CONSUL/consul" "$bin/consul"
}

# Without this tag it takes labels for what they are not, and panics.
prepare_thanos() {
  local package=github.com/thanos-io/thanos tags=slicelabels
  module "Thanos $THANOS" "$package v$THANOS"
  printf 'replace %s\n' "${THANOS_REPLACES[@]}" >>"$work/go.mod"
  build "thanos-$THANOS" "-X github.com/prometheus/common/version.Version=$THANOS" "$package/cmd/thanos"
  ln -sfn "$cache/thanos-$THANOS/thanos" "$bin/thanos"
}

prepare_otelcol() {
  local core=go.opentelemetry.io/collector contrib=github.com/open-telemetry/opentelemetry-collector-contrib
  local tags=remove_all_sd
  module "OpenTelemetry Collector $OTELCOL" "$core/otelcol v$OTELCOL" "$core/exporter/otlphttpexporter v$OTELCOL" \
    "$core/confmap/provider/fileprovider $OTELCOL_MODULE" \
    "$contrib/receiver/prometheusreceiver v$OTELCOL" "$contrib/exporter/prometheusremotewriteexporter v$OTELCOL"
  mkdir "$work/otelcol"
  cp "$here/otelcol/main.go" "$work/otelcol/"
  build "otelcol-$OTELCOL" "-X main.version=$OTELCOL" ./otelcol
  ln -sfn "$cache/otelcol-$OTELCOL/otelcol" "$bin/otelcol"
}

mode=${1:-prepare}
case $mode in
prepare) mkdir -p "$bin" ;;
check) ;;
*) die "usage: test/interop/peers.sh [check]" ;;
esac

missing=()
for peer in prometheus2 node_exporter exporters victoria_metrics prometheus3 consul otelcol thanos; do
  if "ready_$peer"; then continue; fi
  if [[ $mode == check ]]; then
    missing+=("$peer")
    continue
  fi
  started=$SECONDS
  "prepare_$peer"
  "ready_$peer" || die "$peer was prepared in $cache, but does not run or is of another version than expected."
  say "$peer took $((SECONDS - started)) s"
done

[[ ${#missing[@]} == 0 ]] || die "missing in $cache: ${missing[*]}. Prepare them with: test/interop/peers.sh"
if [[ $mode == prepare ]]; then
  for program in prometheus-2 promtool-2 prometheus-3 promtool-3 node_exporter blackbox_exporter pushgateway otelcol thanos; do
    say "$program $(version "$bin/$program")"
  done
  say "victoria-metrics and vmagent $(<"$bin/victoria-metrics.version")"
  say "ready in $bin after ${SECONDS} s"
fi
