#!/bin/sh
# Fuzzes one target for so many seconds and says in a line what came of it: run.sh target seconds
target=$1 seconds=$2
program=build/libfuzzer/targets/$target
found=build/fuzz/$target # new inputs
case $target in
  body) files="src/lua/json_write.c src/lua/json_read.c src/lua/schema.c" ;;
  headers) files=src/net/exchange.c ;;
  path) files="src/net/path.c src/net/base_url.c src/net/handle.c" ;;
  reply) files="src/lua/json_read.c src/lua/page.c src/lua/result.c src/lua/error.c" ;;
  retry_after) files=src/net/retry.c ;;
  several) files="src/net/delivery.c src/net/exchange.c src/net/loop.c src/net/tls.c src/net/transfer.c" ;;
  transfer) files=src/net/exchange.c ;;
esac
mkdir -p "$found"
dictionary=spec/fuzz/$target.dict
LLVM_PROFILE_FILE=$found.profraw "$program" -max_total_time="$seconds" -timeout=10 -detect_leaks=0 \
  -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$found"- \
  $(test -f "$dictionary" && echo -dict="$dictionary") \
  "$found" "spec/fuzz/corpus/$target" 2>"$found.log" || {
  grep -E 'does not hold|raised|runtime error|^==.*ERROR|^SUMMARY' "$found.log"
  echo "$target: failed, more is in $found.log; $(grep -o 'Test unit written to .*' "$found.log")"
  exit 1
}
llvm-profdata merge -o "$found.profdata" "$found.profraw"
lines=$(llvm-cov report "$program" -instr-profile="$found.profdata" $files |
  awk '$1 ~ /\.c$/ { sub(".*/", "", $1); printf ", %s %s", $1, $10 }')
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log")
edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$found.log" | tail -n 1)
echo "$target: $runs executions, $edges edges, $(ls "$found" | wc -l) inputs new; lines$lines" |
  sed 's/lines,/lines covered:/'
