# The same in awk (see function.c).
BEGIN { what = ARGV[1]; more = ARGV[2]; ARGC = 1
  if (what == "ignore") { print "not read"; exit }
  if (what == "env") { print (more in ENVIRON) ? ENVIRON[more] : "(none)"; exit }
}
what == "upper" { print toupper($0) }
what == "lines" { print NR " " $0; fflush() }
what == "greet" { split($0, part, "\""); printf "{\"hello\":\"%s\"}", part[4] }
