#include "tests/unit/ipc_sam/run.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

static int report_fd = -1;
static int note_fd = -1;

static void write_report(void* context, const phx_sam_report* report) {
  (void)context;
  CHECK(write(report_fd, report, sizeof *report) == sizeof *report);
}

phx_sam_options sam_options(phx_sam_policy policy, int interval_ms) {
  return (phx_sam_options){.struct_bytes = sizeof(phx_sam_options),
                           .interval_ms = interval_ms,
                           .policy = policy,
                           .restart_delay_ms = 1,
                           .restart_delay_max_ms = 4,
                           .report = write_report};
}

struct run run_start(phx_sam_options options, void (*before)(void), run_body body) {
  int reports[2];
  int notes[2];
  CHECK(pipe(reports) == 0 && pipe(notes) == 0);
  const pid_t supervisor = fork();
  CHECK(supervisor >= 0);
  if (supervisor == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* Nothing outlives the test. */
    close(reports[0]);
    close(notes[0]);
    report_fd = reports[1];
    note_fd = notes[1];
    uint32_t instance = 0;
    CHECK_STATUS(PHX_OK, phx_sam_initialize(&options));
    if (before != NULL) before();
    CHECK_STATUS(PHX_OK, phx_sam_register(&instance));
    exit(body(instance));
  }
  close(reports[1]);
  close(notes[1]);
  return (struct run){.supervisor = supervisor, .reports = reports[0], .notes = notes[0]};
}

static void must_come(int fd, const char* what) {
  struct pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = poll(&wait, 1, 20000);
  } while (ready < 0 && errno == EINTR);
  if (ready == 1) return;
  fprintf(stderr, "waited in vain for %s\n", what);
  exit(1);
}

phx_sam_report run_report(const struct run* run) {
  phx_sam_report report;
  must_come(run->reports, "a report");
  CHECK(read(run->reports, &report, sizeof report) == sizeof report);
  return report;
}

phx_sam_report run_expect(const struct run* run, phx_sam_event event) {
  const phx_sam_report report = run_report(run);
  if (report.event != event) {
    fprintf(stderr, "expected event %d, got %d: instance %u, status %x\n", (int)event,
            (int)report.event, report.instance, (unsigned)report.wait_status);
    exit(1);
  }
  return report;
}

int run_end(struct run* run) {
  int status = 0;
  char byte;
  CHECK(waitpid(run->supervisor, &status, 0) == run->supervisor);
  /* Every instance has the pipe too: its end says that none lives. */
  must_come(run->reports, "the end of all instances");
  CHECK(read(run->reports, &byte, 1) == 0);
  close(run->reports);
  close(run->notes);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_once(phx_sam_options options, void (*before)(void), run_body body) {
  struct run run = run_start(options, before, body);
  CHECK(run_expect(&run, PHX_SAM_STARTED).instance == 1);
  const phx_sam_report last = run_report(&run);
  CHECK(last.restart_ms == -1);
  CHECK(last.event == PHX_SAM_ENDED || last.event == PHX_SAM_FAILED);
  return run_end(&run);
}

void note(uint32_t word) { CHECK(write(note_fd, &word, sizeof word) == sizeof word); }

uint32_t run_note(const struct run* run) {
  uint32_t word = 0;
  must_come(run->notes, "a note");
  CHECK(read(run->notes, &word, sizeof word) == sizeof word);
  return word;
}

int count_fds(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR* directory = opendir(path);
  CHECK(directory != NULL);
  int count = 0;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count - 2 - (pid == getpid()); /* ".", "..", and the directory itself. */
}

void sleep_ms(int ms) {
  struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  while (nanosleep(&rest, &rest) != 0) {
  }
}

int wait_for_ever(void) {
  for (;;) pause();
}
