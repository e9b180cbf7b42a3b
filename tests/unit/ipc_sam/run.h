#pragma once

/* A supervised program for a test: real processes, whose supervisor writes its reports to a pipe
 * and whose instances write notes to another. */

#include <phalanx/sam.h>
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ipc_client/check.h"

/* An interval that a healthy program keeps on any host, one that it keeps even on a busy one, and
 * one to be late for. */
#define LONG_MS 20000
#define FAIR_MS 1500
#define SHORT_MS 150

struct run {
  pid_t supervisor;
  int reports;
  int notes;
};

/* What an instance does; the result is its exit status. */
typedef int (*run_body)(uint32_t instance);

phx_sam_options sam_options(phx_sam_policy policy, int interval_ms);
/* Forks a process that initialises, runs `before` unless NULL, and registers. */
struct run run_start(phx_sam_options options, void (*before)(void), run_body body);
/* The next report; ends the test after 20 s without one. */
phx_sam_report run_report(const struct run* run);
/* The same, and it must be of that event. */
phx_sam_report run_expect(const struct run* run, phx_sam_event event);
/* Waits for the supervisor's exit status (128 + N for signal N), and that nobody is left over. */
int run_end(struct run* run);
/* Starts, expects no more than the end, and gives the exit status. */
int run_once(phx_sam_options options, void (*before)(void), run_body body);

/* For instances: a word to the test; and the test's side, which waits for one. */
void note(uint32_t word);
uint32_t run_note(const struct run* run);

int count_fds(pid_t pid);
void sleep_ms(int ms);
/* Waits for a signal, for ever if need be. */
int wait_for_ever(void);
