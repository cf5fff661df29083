# Puts *** in the place of known secrets, where there is no perl for redact.pl. The first lines of the input, up to an empty
# one, are `=` and a text to hide, the longest first; the rest is passed on. Meant for LC_ALL=C: texts are bytes.

!ready {
  if ($0 == "") ready = 1
  else if ($0 ~ /^=/) hidden[++count] = substr($0, 2)
  next
}

{
  line = $0
  for (i = 1; i <= count; i++) {
    shown = ""
    while ((at = index(line, hidden[i])) > 0) {
      shown = shown substr(line, 1, at - 1) "***"
      line = substr(line, at + length(hidden[i]))
      found = 1
    }
    line = shown line
  }
  # A text that is hidden in pieces shows as one.
  if (found) gsub(/\*\*\*(\*\*\*)+/, "***", line)
  found = 0
  print line
  fflush()
}
