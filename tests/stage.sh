# Sourced by tests/run: runs stages, tells name and time of each, and counts.
# shellcheck shell=bash

builds=${PHX_TEST_BUILD:-$PWD/build/tests}
mkdir -p "$builds/logs"
passed=0 failed=0 skipped=0
started_at=$SECONDS
# Stages that take what time is left, like clang-tidy, end by then: CI gives 25 minutes.
readonly whole_run_s=1380

if command -v ccache >/dev/null; then
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
fi

# stage NAME LIMIT_S COMMAND...: counts one pass, failure, or skip (exit 77), and returns that exit
# code, so that what needs the result can be chained with &&.
stage() {
  local name=$1 limit=$2 rc
  shift 2
  run_logged "$name" "$limit" "$@"
  rc=$?
  case $rc in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  return "$rc"
}

# stage_tests NAME LIMIT_S BUILD COMMAND...: counts each test case that meson reports of BUILD.
stage_tests() {
  local name=$1 limit=$2 build=$builds/$3 rc counts p f s
  shift 3
  run_logged "$name" "$limit" "$@"
  rc=$?
  if [[ $rc -eq 77 ]]; then
    skipped=$((skipped + 1))
    return 0
  fi
  local results=()
  mapfile -t results < <(find "$build/meson-logs" -name 'testlog*.junit.xml' 2>/dev/null)
  counts=$(tests/count_results.py "${results[@]}")
  read -r p f s <<<"$counts"
  # A program may fail after its last case (a leak found at exit), or never get that far.
  [[ $rc -eq 0 || $f -gt 0 ]] || f=1
  # No test ran where some should have: that is a failure, not a quiet success.
  [[ $((p + f + s)) -gt 0 ]] || f=1
  echo "    $p passed, $f failed, $s skipped"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# stage_bounded NAME COMMAND...: the command gets, as its last argument, the seconds it may take.
stage_bounded() {
  local name=$1 left=$((whole_run_s - (SECONDS - started_at)))
  shift
  if [[ $left -lt 30 ]]; then
    echo "=== $name: skipped, no time is left for it"
    skipped=$((skipped + 1))
    return 0
  fi
  stage "$name" $((left + 60)) "$@" "$left"
}

# The command runs in a shell of its own session, so that a time-out ends all that it started.
run_logged() {
  local name=$1 limit=$2 log begun=$SECONDS rc pid watchdog
  shift 2
  log=$builds/logs/${name//[^a-z0-9]/-}.log
  echo "=== $name"
  set -m
  ("$@") >"$log" 2>&1 </dev/null &
  pid=$!
  (
    sleep "$limit"
    echo "stage took longer than $limit s" >>"$log"
    kill -TERM -- "-$pid"
  ) 2>/dev/null &
  watchdog=$!
  set +m
  trap 'kill -TERM -- "-$pid" "-$watchdog" 2>/dev/null; exit 130' INT TERM
  wait "$pid" 2>/dev/null
  rc=$?
  kill -- "-$watchdog" 2>/dev/null
  wait "$watchdog" 2>/dev/null
  trap - INT TERM
  case $rc in
    0) echo "    ok, $((SECONDS - begun)) s"; grep '^note: ' "$log" | sed 's/^/    /' ;;
    77) echo '    skipped'; tail -n 5 "$log" ;;
    *)
      echo "    FAILED (exit $rc) after $((SECONDS - begun)) s; the end of $log:"
      excerpt "$log"
      ;;
  esac
  return "$rc"
}

# Errors first: the end of a parallel build's log is often about something else. Then the end of
# what each failed test printed, which meson puts between a line with scissors and one like it
# without: of its length, where both are ASCII, as tests print such lines themselves.
excerpt() {
  grep -nE '(\berror|Error|FAILED|ERROR|Sanitizer)[: ]' "$1" | head -n 30
  awk '/^-* 8< -*$/ { bar = "^-+$"; size = length($0) }
       /^(―)* ✀ *(―)*$/ { bar = "^(―)+$"; size = 0 }
       / ✀ | 8< / { inside = 1; n = 0 }
       inside { line[n++ % 20] = $0 }
       inside && $0 ~ bar && (size == 0 || length($0) == size) {
         for (i = n > 20 ? n - 20 : 0; i < n; i++) print line[i % 20]
         inside = 0
       }' "$1" | head -n 100
  echo '    ...'
  tail -n 30 "$1"
}

report() {
  echo
  echo "tests/run $1 took $((SECONDS - started_at)) s"
  echo "$passed passed, $failed failed, $skipped skipped"
  [[ $failed -eq 0 ]]
  exit
}
