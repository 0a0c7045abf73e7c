#!/bin/sh
# Stub of a plugin of age (https://c2sp.org/age-plugin): its entries have the file key as it is. Asks for the PIN 1234 if
# the file `pin` is beside it.

# Reads a stanza: its first line, and its body, which ends with a line of less than 64 characters.
read_stanza() {
  IFS= read -r line || exit 1
  body=
  while IFS= read -r part; do
    body=$body$part
    [ ${#part} -lt 64 ] && return 0
  done
  exit 1
}

# Sends a stanza with the text $2, and reads the answer.
send() {
  printf -- '-> %s\n%s\n' "$1" "$(printf %s "$2" | base64 | tr -d '=\n')"
  read_stanza
}

key=
while read_stanza; do
  case $line in
    '-> wrap-file-key'* | '-> recipient-stanza 0 stub'*) key=$body ;;
    '-> done'*) break ;;
  esac
done
case $1 in
  --age-plugin=recipient-v1)
    printf -- '-> recipient-stanza 0 stub\n%s\n' "$key"
    read_stanza
    ;;
  --age-plugin=identity-v1)
    if [ -n "$key" ]; then
      send msg 'touch the stub'
      answer=MTIzNA
      if [ -e "$(dirname "$0")/pin" ]; then
        send request-secret 'PIN of the stub'
        answer=$body
      fi
      if [ "$answer" = MTIzNA ]; then
        printf -- '-> file-key 0\n%s\n' "$key"
        read_stanza
      else
        send 'error identity 0' 'the PIN is wrong'
      fi
    fi
    ;;
  *) exit 2 ;;
esac
printf -- '-> done\n\n'
