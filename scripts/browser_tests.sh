#!/usr/bin/env bash
# The browser tests, with all that they need: Debian's Chromium, and axe-core from npm.
# scripts/browser_tests.sh screenshots   makes the pictures of docs/images/ instead; or only some: screenshots review
set -euo pipefail
cd "$(dirname "$0")/.."

AXE_VERSION=4.14.1
TOOLS=.venv/browser-tools

make .venv/dev-ready
if ! [ -x "${CHROMIUM:=/usr/bin/chromium}" ]; then
    echo "==> Installing Chromium (a minute or so)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi
export CHROMIUM AXE_CORE="$TOOLS/axe-core-$AXE_VERSION/package/axe.min.js"
if ! [ -f "$AXE_CORE" ]; then
    mkdir -p "$TOOLS/axe-core-$AXE_VERSION"
    npm pack --silent --pack-destination "$TOOLS" "axe-core@$AXE_VERSION" >/dev/null
    tar -xzf "$TOOLS/axe-core-$AXE_VERSION.tgz" -C "$TOOLS/axe-core-$AXE_VERSION"
fi

case "${1:-tests}" in
    tests)
        echo "==> Looking at the Airflow UI in a browser"
        .venv/bin/python -m pytest tests/browser
        ;;
    screenshots)
        echo "==> Making screenshots in docs/images/"
        .venv/bin/python -m tests.browser.screenshots "${@:2}"
        ;;
    *)
        echo "usage: $0 [tests | screenshots [gallery | credits | review | form]]" >&2
        exit 2
        ;;
esac
