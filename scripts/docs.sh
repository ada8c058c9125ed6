#!/usr/bin/env bash
# Build the site into build/site, strictly: a broken link or a page that nothing leads to ends it with an error.
#   bash scripts/docs.sh                 the site
#   bash scripts/docs.sh notebook        docs/tutorial.ipynb, executed first but for its studies (half a minute)
#   bash scripts/docs.sh serve           the site at http://127.0.0.1:8000, built again at each change
set -euo pipefail
source "$(dirname "$0")/setup.sh"
setup docs
export NO_MKDOCS_2_WARNING=1 # news of the theme's makers
PATH=$PWD/.venv/bin:$PATH
case ${1:-build} in
  build) # --quiet would hide the warnings that --strict counts, also from --strict
    mkdocs build --strict --config-file docs/site/mkdocs.yml
    echo "build/site/index.html"
    ;;
  serve) exec mkdocs serve --config-file docs/site/mkdocs.yml ;;
  notebook)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python docs/site/notebook.py --execute "$folder"
    ;;
  *) echo "docs: unknown word '$1': build, notebook or serve" >&2; exit 2 ;;
esac
