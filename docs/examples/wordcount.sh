# A MapReduce of two jobs, in shell: how often each word stands in the licence and copyright texts of this machine.
# Sourced by scripts/demo and by the tests; `stoa` must find a cluster.
#
#   wordcount_prepare DIR MAPS      packs the texts into DIR/part-0.tar …, and counts them with one plain pipeline
#   wordcount_submit DIR MAPS ARG…  submits a map job and a reduce job that waits for it; sets map_job and reduce_job.
#                                   ARG… are options of `stoa submit`, e.g. --cpus=0.1. $wordcount_at_end, if set, is
#                                   what each task does last
#
# The reduce job never looks into a map's directory: it names the maps' outputs, and they are fetched from the agents
# that ran them.

# Words, one a line. awk gives a line that ends at the end of its file a line break.
words='LC_ALL=C; export LC_ALL; xargs -0 awk 1 | tr -cs "A-Za-z" "\n" | tr "A-Z" "a-z" | grep .'
top20='sort -k1,1nr -k2,2 | head -n 20'

wordcount_prepare() {
  local texts=$1 maps=$2 i
  mkdir -p "$texts"
  find -L /usr/share/common-licenses /usr/share/doc -maxdepth 2 -type f \( -path '*/common-licenses/*' -o -name copyright \) \
    2>/dev/null | LC_ALL=C sort > "$texts/files"
  for (( i = 0; i < maps; i++ )); do
    awk -v n="$maps" -v i="$i" 'NR % n == i' "$texts/files" > "$texts/list-$i"
    tar -chf "$texts/part-$i.tar" -P -T "$texts/list-$i"
  done
  tr '\n' '\0' < "$texts/files" | sh -c "$words | sort | uniq -c | awk '{print \$1, \$2}' | $top20" > "$texts/expected"
}

wordcount_submit() {
  local texts=$1 maps=$2
  shift 2
  map_job=$(stoa submit --name=map --array="$maps" --input="part.tar=$texts/part-%i.tar" --result=counts "$@" -- \
    sh -c "set -e; mkdir texts; tar -xf part.tar -C texts --strip-components=1
      find texts -type f -print0 | sh -c '$words' | LC_ALL=C sort | uniq -c > counts
      ${wordcount_at_end:-}") || return
  reduce_job=$(stoa submit --name=reduce --input="counts=job:$map_job/*/counts" --result=top "$@" -- \
    sh -c "export LC_ALL=C; cat counts.* | awk '{n[\$2] += \$1} END {for (w in n) print n[w], w}' | $top20 | tee top
      ${wordcount_at_end:-}")
}
