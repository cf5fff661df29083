/** A shell command that puts into $HOME what is hard to remove: what lies deeper than any path reaches, and what is closed to writing. */
export const STUBBORN_TREE = [
  `perl -e 'chdir $ENV{HOME} or die; for (1 .. 60) { mkdir "d" x 100 or die; chdir "d" x 100 or die }'`,
  'mkdir -p "$HOME/shut/in" && echo x >"$HOME/shut/file" && chmod 555 "$HOME/shut/in" "$HOME/shut"',
].join(' && ');
