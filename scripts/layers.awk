# Which module may include which: prints every include that points up or out. Run on all C files.

BEGIN {
  # Each module and what it may use besides itself.
  may["base"] = ""
  may["http"] = "base"
  may["auth"] = "base http"
  may["thrift"] = "base"
  may["arrow"] = "base"
  may["result"] = "base http thrift arrow"
  may["backend"] = "base http auth thrift arrow result"
  may["telemetry"] = "base http auth"
  may["session"] = "base http auth thrift arrow result backend telemetry"
  may["api"] = "base http auth thrift arrow result backend telemetry session"
  # Programs and drivers: the warehouse shares the wire, the others see the public headers only.
  may["warehouse"] = "base thrift arrow http"
  may["cli"] = ""
  may["adbc"] = ""
  may["odbc"] = ""
  may["examples"] = ""
  may["include"] = ""
  for (name in may) is_module[name] = name != "include" && name != "examples"
}

FNR == 1 {
  n = split(FILENAME, part, "/")
  module = part[1] == "src" ? part[2] : part[1]
  checked = module in may
  folder = FILENAME
  sub(/[^\/]*$/, "", folder)
}

checked && /^[ \t]*#[ \t]*include[ \t]*["<]/ {
  quoted = $0 ~ /include[ \t]*"/
  path = $0
  sub(/^[^"<]*["<]/, "", path)
  sub(/[">].*$/, "", path)
  count = split(path, piece, "/")
  target = count > 1 ? piece[1] : ""

  if (path ~ /(^|\/)\.\.?(\/|$)/) {
    print FILENAME ":" FNR ": " path " (a relative path)"
  } else if (!quoted) {
    # <dbsql/...> is for everyone; our own modules never stand in angle brackets.
    if (target in is_module && is_module[target]) print FILENAME ":" FNR ": <" path "> (a module in angle brackets)"
  } else if (target == "" || target == module) {
    # Its own.
    if (target == "" && !exists(folder path)) print FILENAME ":" FNR ": " path " (no such file beside it)"
  } else if (target == "dbsql") {
    print FILENAME ":" FNR ": " path " (write <" path ">)"
  } else if (target in is_module && is_module[target]) {
    if (index(" " may[module] " ", " " target " ") == 0) print FILENAME ":" FNR ": " module " may not include " path
  } else if (!exists(folder path)) {
    print FILENAME ":" FNR ": " path " (no such module)"
  }
}

function exists(file,    line, result) {
  if (file in seen) return seen[file]
  result = (getline line < file) >= 0
  close(file)
  return seen[file] = result
}
