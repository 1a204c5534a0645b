#!/bin/sh
# A preview of a pull request: a private branch of a namespace, with its data.
#   preview.sh open NUMBER      branch, deploy the images in PREVIEW_IMAGES, write PREVIEW_COMMENT
#   preview.sh promote NUMBER   promote the branch's services (not its data)
#   preview.sh close NUMBER     remove the branch
# PLOYZ_TOKEN      of: ployzctl token create --namespace 'pr-*' --branch-from prod --promote-to prod
#                      --allow read,logs,deploy,branch,promote,remove
# PREVIEW_SOURCE   the namespace to branch; default prod
# PREVIEW_IMAGES   SERVICE=IMAGE, separated by spaces; default: the images of the source
# PREVIEW_USERS    a secret of the source with the users who may look (name:hash lines, not private); default: one user
#                  whose password is in the comment. Everyone who can read the comment can then read the branch
# PREVIEW_COMMENT  a file for the text of the comment; default: standard output
set -eu

usage() {
  echo "usage: preview.sh open|promote|close NUMBER" >&2
  exit 2
}
[ $# -eq 2 ] || usage
number=$2
case $number in '' | *[!0-9]*) usage ;; esac
: "${PLOYZ_TOKEN:?is not set}"
source=${PREVIEW_SOURCE:-prod}
namespace=pr-$number

exists() {
  ployzctl namespace ls --plain | cut -f 1 | grep -qx "$namespace"
}

comment() {
  echo "Preview \`$namespace\`:"
  ployzctl route ls --plain | awk -F '\t' -v namespace="$namespace" '$2 == namespace { print "- " $1 }'
  if [ -n "$1" ]; then
    echo
    echo "Log in: $1"
  fi
}

case $1 in
  open)
    login=
    if ! exists; then
      said=$(ployzctl branch "$source" "$namespace" --private ${PREVIEW_USERS:+--users "$PREVIEW_USERS"} --quiet 2>&1 >/dev/null) || {
        echo "$said" >&2
        exit 1
      }
      login=$(echo "$said" | sed -n 's/^\(user .*, password [^ ]*\).*/\1/p')
    fi
    for pair in ${PREVIEW_IMAGES:-}; do
      ployzctl deploy service "${pair%%=*}" --namespace "$namespace" --image "${pair#*=}"
    done
    comment "$login" >"${PREVIEW_COMMENT:-/dev/stdout}"
    ;;
  promote)
    if exists; then ployzctl promote "$namespace" "$source"; fi
    ;;
  close)
    if exists; then ployzctl namespace rm "$namespace" --yes; fi
    # Of its password: a branch of the same number gets another one.
    ployzctl secret rm "$namespace/preview-users" --quiet >/dev/null 2>&1 || true
    ;;
  *) usage ;;
esac
