/* savings GROUP [-a ACCOUNTS] [-r OPERATIONS_A_SECOND] [-q]: a bank whose every process has all
 * accounts. Deposits and withdrawals come from everywhere; a withdrawal that the account cannot
 * bear is refused, and its origin told. SIGUSR1: submit no more. -q: write with quorum only.
 *
 * The patterns: a replicated state from its callbacks; a supervisor that starts the process again
 * when it crashes, which then gets the state from the others. A line a fifth of a second says how
 * things are; at the end all lines of all processes agree. */
#include <inttypes.h>
#include <phalanx/replica.h>
#include <phalanx/sam.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ACCOUNTS_MAX = 1 << 20 };

struct operation {
  uint32_t account;
  uint32_t unused;
  int64_t amount; /* Negative: a withdrawal. */
};

/* All of it is replicated: what the bank knows. */
struct bank {
  int64_t deposited;
  int64_t withdrawn;
  int64_t overdrawn; /* Withdrawals of another side that left less than nothing. */
  uint64_t accounts;
  int64_t balance[];
};

/* What this process knows. The supervisor keeps it over crashes. */
struct books {
  int64_t asked_deposits; /* Submitted: at most that much is in the bank. */
  int64_t asked_withdrawals;
  int64_t done_deposits; /* Answered: at least that much is. */
  int64_t done_withdrawals;
  uint64_t refused;
  uint64_t not_quorate;
  uint64_t in_doubt;
};

static struct bank* bank;
static struct books books;
static volatile sig_atomic_t stopped;

static size_t bank_bytes(uint64_t accounts) {
  return sizeof(struct bank) + accounts * sizeof(int64_t);
}

static int snapshot(void* context, phx_replica_writer* writer) {
  (void)context;
  return phx_replica_write(writer, bank, bank_bytes(bank->accounts)) == PHX_OK ? 0 : 1;
}

static int restore(void* context, const void* data, size_t bytes, uint32_t version) {
  const uint64_t accounts = bank->accounts;
  (void)context;
  (void)version;
  if (data == NULL) {
    memset(bank, 0, bank_bytes(accounts));
    bank->accounts = accounts;
    return 0;
  }
  if (bytes != bank_bytes(accounts)) return 1; /* A bank of another size. */
  memcpy(bank, data, bytes);
  return bank->accounts == accounts ? 0 : 1;
}

/* Somebody else's bytes: looked at before they are believed. */
static int read_operation(const phx_replica_operation* from, struct operation* to) {
  if (from->bytes != sizeof *to) return 0;
  memcpy(to, from->data, sizeof *to);
  return to->account < bank->accounts && to->amount != 0 && to->amount < INT32_MAX &&
         to->amount > -INT32_MAX;
}

static void carry_out(const struct operation* operation) {
  bank->balance[operation->account] += operation->amount;
  if (operation->amount > 0) {
    bank->deposited += operation->amount;
  } else {
    bank->withdrawn -= operation->amount;
  }
}

static int64_t apply(void* context, const phx_replica_operation* told) {
  struct operation operation;
  (void)context;
  if (!read_operation(told, &operation)) return 2;
  if (bank->balance[operation.account] + operation.amount < 0) return 1;
  carry_out(&operation);
  return 0;
}

/* The money is out of the other side's door already. */
static int merge(void* context, const phx_replica_operation* told) {
  struct operation operation;
  (void)context;
  if (!read_operation(told, &operation)) return 1;
  carry_out(&operation);
  if (operation.amount < 0 && bank->balance[operation.account] < 0) bank->overdrawn++;
  return 0;
}

static void answer(void* context, uint64_t ticket, phx_status status, int64_t result) {
  const int64_t amount = (int64_t)ticket; /* The ticket is ours to choose. */
  (void)context;
  if (status == PHX_OK && result != 0) {
    books.refused++;
  } else if (status == PHX_OK && amount > 0) {
    books.done_deposits += amount;
  } else if (status == PHX_OK) {
    books.done_withdrawals -= amount;
  } else if (status == PHX_NOT_QUORATE || status == PHX_FULL) {
    books.not_quorate++;
  } else {
    books.in_doubt++;
  }
}

static void say(phx_replica* replica, uint32_t instance) {
  phx_replica_status s;
  int64_t sum = 0;
  if (phx_replica_state(replica, &s) != PHX_OK) return;
  for (uint64_t i = 0; i < bank->accounts; i++) sum += bank->balance[i];
  printf("{\"pid\":%d,\"instance\":%" PRIu32
         ",\"live\":%d,\"members\":%zu,\"pending\":%zu,"
         "\"operations\":%" PRIu64 ",\"digest\":\"%016" PRIx64 "\",\"sum\":%" PRId64
         ",\"deposited\":%" PRId64 ",\"withdrawn\":%" PRId64 ",\"overdrawn\":%" PRId64
         ",\"asked_deposits\":%" PRId64 ",\"asked_withdrawals\":%" PRId64
         ",\"done_deposits\":%" PRId64 ",\"done_withdrawals\":%" PRId64 ",\"refused\":%" PRIu64
         ",\"not_quorate\":%" PRIu64 ",\"in_doubt\":%" PRIu64 ",\"merged\":%" PRIu64
         ",\"taken\":%" PRIu64 ",\"lost_sides\":%" PRIu64 "}\n",
         (int)getpid(), instance, s.live, s.members, s.pending, s.operations, s.digest, sum,
         bank->deposited, bank->withdrawn, bank->overdrawn, books.asked_deposits,
         books.asked_withdrawals, books.done_deposits, books.done_withdrawals, books.refused,
         books.not_quorate, books.in_doubt, s.merged, s.snapshots_taken, s.lost_sides);
  fflush(stdout);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Notes it in the supervisor's memory first: what is asked and not answered may be done. */
static int submit(phx_replica* replica, unsigned* seed) {
  struct operation operation = {.account = (uint32_t)(rand_r(seed) % (int)bank->accounts)};
  operation.amount = 1 + rand_r(seed) % 100;
  if (rand_r(seed) % 3 == 0) operation.amount = -operation.amount;
  const struct books before = books;
  if (operation.amount > 0) {
    books.asked_deposits += operation.amount;
  } else {
    books.asked_withdrawals -= operation.amount;
  }
  if (phx_sam_data_store(&books, sizeof books) == PHX_OK &&
      phx_replica_submit(replica, &operation, sizeof operation, (uint64_t)operation.amount) ==
          PHX_OK)
    return 1;
  books = before;
  return 0;
}

static void stop(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

static int run(const phx_replica_options* options, double rate, uint32_t instance) {
  phx_replica* replica = NULL;
  phx_status status = phx_replica_open(options, &replica);
  double next = seconds();
  double told = 0;
  unsigned seed = (unsigned)getpid();
  if (status != PHX_OK) {
    fprintf(stderr, "savings: cannot open: %s\n", phx_strerror(status));
    return 1; /* The supervisor tries again. */
  }
  for (;;) {
    const double now = seconds();
    while (!stopped && next <= now && submit(replica, &seed)) next += 1 / rate;
    if (next < now) next = now;
    if (now - told > 0.2) {
      told = now;
      say(replica, instance);
      (void)phx_sam_hc_send();
    }
    status = phx_replica_dispatch(replica, 5);
    if (status != PHX_OK && status != PHX_TRY_AGAIN) {
      fprintf(stderr, "savings: %s\n", phx_strerror(status));
      return 1;
    }
  }
}

int main(int argc, char** argv) {
  uint64_t accounts = 1000;
  double rate = 50;
  phx_replica_options options = {.struct_bytes = sizeof options,
                                 .callbacks = {snapshot, restore, apply, merge, answer, NULL},
                                 .pending_bytes = 1 << 16};
  const phx_sam_options supervision = {.struct_bytes = sizeof supervision,
                                       .interval_ms = 5000,
                                       .policy = PHX_SAM_RESTART,
                                       .restart_delay_ms = 50,
                                       .restart_delay_max_ms = 200};
  uint32_t instance = 0;
  for (int option; (option = getopt(argc, argv, "a:r:q")) != -1;) {
    if (option == 'a') accounts = strtoull(optarg, NULL, 10);
    if (option == 'r') rate = strtod(optarg, NULL);
    if (option == 'q') options.write_quorum = 1;
    if (option == '?') return 2;
  }
  if (optind + 1 != argc || accounts == 0 || accounts > ACCOUNTS_MAX || !(rate > 0)) {
    fprintf(stderr, "usage: savings GROUP [-a ACCOUNTS] [-r OPERATIONS_A_SECOND] [-q]\n");
    return 2;
  }
  options.group = argv[optind];
  options.group_bytes = strlen(argv[optind]);
  options.instance = getenv("PHX_INSTANCE");
  if (phx_sam_initialize(&supervision) != PHX_OK || phx_sam_register(&instance) != PHX_OK ||
      phx_sam_start() != PHX_OK) {
    fprintf(stderr, "savings: not supervised\n");
    return 1;
  }
  signal(SIGUSR1, stop);
  bank = calloc(1, bank_bytes(accounts));
  if (bank == NULL) return 1;
  bank->accounts = accounts;
  size_t kept = 0;
  if (phx_sam_data_getsize(&kept) == PHX_OK && kept == sizeof books)
    (void)phx_sam_data_restore(&books, sizeof books);
  return run(&options, rate, instance);
}
