# Sourced by the scripts that make pictures for docs/.

screenshot() { # screenshot URL WIDTH,HEIGHT PNG OPTION...: a page in headless Chromium ($CHROMIUM), in 256 colours
  local url=$1 size=$2 png=$3 folder sandbox=()
  shift 3
  folder=$(mktemp -d)
  [ "$(id -u)" -eq 0 ] && sandbox=(--no-sandbox) # Chromium refuses root otherwise
  "${CHROMIUM:-chromium}" --headless ${sandbox[@]+"${sandbox[@]}"} --disable-gpu --hide-scrollbars --user-data-dir="$folder/profile" \
    --disable-background-networking --window-size="$size" "$@" --screenshot="$folder/shot.png" "$url"
  # 256 colours are enough, and a third of the bytes
  .venv/bin/python -c "from PIL import Image; Image.open('$folder/shot.png').quantize(256).save('$png', optimize=True)"
  rm -rf "$folder"
}
