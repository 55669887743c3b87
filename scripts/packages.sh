# shellcheck shell=sh
# Packages: read by ./dev. packaging/MANAGER.txt lists what each group of commands needs.

# Whether a small program links with those flags: compiler, flags.
packages_links() {
  folder=$(mktemp -d)
  rc=0
  case $2 in
    *fuzzer*) printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d[0] == 1 && n == 0; }\n' ;;
    *) printf 'int main(void) { return 0; }\n' ;;
  esac >"$folder/a.c"
  "$1" "$2" -o "$folder/a" "$folder/a.c" >/dev/null 2>&1 || rc=1
  rm -rf "$folder"
  return "$rc"
}

packages_present() {
  case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    pc:*) pkg-config --exists "${1#pc:}" >/dev/null 2>&1 ;;
    hdr:*) [ -e "/usr/include/${1#hdr:}" ] ;;
    file:*) [ -e "${1#file:}" ] ;;
    py:*) python3 -c "import ${1#py:}" >/dev/null 2>&1 ;;
    asan) packages_links gcc -fsanitize=address,undefined ;;
    tsan) packages_links gcc -fsanitize=thread ;;
    fuzzer) packages_links clang -fsanitize=fuzzer,address,undefined ;;
    *) false ;;
  esac
}

# packages_missing LIST GROUP...: the names of what is not there, on one line.
packages_missing() {
  list=$1
  shift
  missing=
  while read -r group package check; do
    case $group in '#'* | '') continue ;; esac
    for wanted in "$@"; do
      if [ "$group" = "$wanted" ]; then
        case " $missing " in *" $package "*) continue ;; esac
        packages_present "$check" || missing="$missing${missing:+ }$package"
      fi
    done
  done <"$list"
  printf '%s' "$missing"
}

# packages_install GROUP...: installs what is missing, or prints what to run and exits.
packages_install() {
  manager=
  for candidate in apt-get apk dnf; do
    if command -v "$candidate" >/dev/null 2>&1; then
      manager=$candidate
      break
    fi
  done
  if [ -z "$manager" ]; then
    # No manager that we know: the checks still tell what is missing, by Debian's names.
    missing=$(packages_missing packaging/apt.txt "$@")
    [ -z "$missing" ] && return 0
    printf 'dev: install these first (names as in Debian): %s\n' "$missing" >&2
    exit 1
  fi
  missing=$(packages_missing "packaging/${manager%-get}.txt" "$@")
  [ -z "$missing" ] && return 0

  update=
  case $manager in
    apt-get)
      update="apt-get update"
      install="apt-get install -y --no-install-recommends $missing"
      ;;
    apk) install="apk add $missing" ;;
    dnf) install="dnf install -y $missing" ;;
  esac
  root=
  if [ "$(id -u)" != 0 ]; then
    # sudo may ask for a password only where somebody can answer.
    if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
      root="sudo"
    else
      printf 'dev: packages are missing, and this user may not install them. Run as root:\n\n  %s\n\n' \
        "${update:+$update && }$install" >&2
      exit 1
    fi
  fi
  printf 'installing packages: %s\n' "$missing"
  mkdir -p build
  # shellcheck disable=SC2086 # words, each an argument
  if ! {
    { [ -z "$update" ] || $root $update; } && $root env DEBIAN_FRONTEND=noninteractive $install
  } </dev/null >build/packages.log 2>&1; then
    tail -n 20 build/packages.log >&2
    printf 'dev: installing failed (all of it: build/packages.log). By hand:\n\n  %s\n\n' "${update:+$update && }$install" >&2
    exit 1
  fi
  missing=$(packages_missing "packaging/${manager%-get}.txt" "$@")
  if [ -n "$missing" ]; then
    printf 'dev: installed, and still not found: %s\n' "$missing" >&2
    exit 1
  fi
}
