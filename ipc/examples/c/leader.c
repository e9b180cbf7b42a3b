/* leader GROUP [INSTANCE]: exactly one member of a group acts, and only where its cluster is
 * quorate.
 *
 * The pattern: the first member of a group view is the leader, since all members see one list in
 * one order; quorum says whether this side of a split may have one at all. Prints what it is
 * whenever that changes; ends with SIGINT or SIGTERM. */
#include <phalanx/phalanx.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stopped;
static phx_group group;
static int first;   /* In the group's list of members. */
static int settled; /* What was sent in this view came back: the list is this view's. */
static int asked;   /* ... was sent. */

static void on_signal(int number) {
  (void)number;
  stopped = 1;
}

/* Callbacks run in the agreed order, so what is known in here is known alike at all members. */
static void decide(phx_handle handle) {
  static const char* last = "";
  phx_quorum_state quorum;
  if (phx_quorum(handle, &quorum) != PHX_OK) return;
  const char* role = !quorum.quorate    ? "waiting for quorum"
                     : first && settled ? "leader"
                                        : "follower";
  if (strcmp(role, last) == 0) return;
  last = role;
  printf("%s (view %llu)\n", role, (unsigned long long)quorum.sequence);
}

/* Group views of a node view follow later in the order than the view itself, and none comes for a
 * group that did not change. A message of one's own, sent in the view, comes after all of them. */
static void settle(phx_handle handle) {
  if (!asked) asked = phx_multicast(handle, group, NULL, 0, PHX_AGREED) == PHX_OK;
}

static void on_message(void* context, phx_handle handle, const phx_message* message) {
  phx_member self;
  (void)context;
  if (phx_local_id(handle, &self) != PHX_OK || message->node != self.node ||
      message->client != self.client) {
    return;
  }
  settled = asked;
  decide(handle);
}

static void on_quorum(void* context, phx_handle handle, const phx_quorum_view* view) {
  (void)context;
  printf("* view %llu: %s, %zu nodes (%zu left, %zu joined)\n", (unsigned long long)view->sequence,
         view->quorate ? "quorate" : "not quorate", view->member_count, view->left_count,
         view->joined_count);
  settled = asked = 0;
  decide(handle);
}

static void on_group_view(void* context, phx_handle handle, const phx_group_view* view) {
  phx_member self;
  (void)context;
  first = view->member_count > 0 && phx_local_id(handle, &self) == PHX_OK &&
          view->members[0].node == self.node && view->members[0].client == self.client;
  decide(handle);
}

static void on_connection(void* context, phx_handle handle, const phx_connection* connection) {
  (void)context;
  if (connection->event == PHX_EVENT_DISCONNECTED || connection->event == PHX_EVENT_EVICTED) {
    first = settled = asked = 0;
  }
  decide(handle); /* Without a data plane there is no quorum. */
}

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    fprintf(stderr, "usage: leader GROUP [INSTANCE]\n");
    return 2;
  }
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  setvbuf(stdout, NULL, _IOLBF, 0);
  phx_options options = {.struct_bytes = sizeof options,
                         .callbacks = {.message = on_message,
                                       .group_view = on_group_view,
                                       .connection = on_connection,
                                       .quorum = on_quorum}};
  phx_handle handle;
  if (argc == 3) options.instance = argv[2];
  phx_status status = phx_initialize(&options, &handle);
  if (status == PHX_OK) status = phx_join(handle, argv[1], strlen(argv[1]), &group);
  while (status == PHX_OK && !stopped) {
    settle(handle);
    status = phx_dispatch(handle, PHX_DISPATCH_ALL, 100);
    if (status == PHX_TRY_AGAIN) status = PHX_OK;
  }
  if (status != PHX_OK) {
    fprintf(stderr, "leader: %s (%s)\n", phx_strerror(status), phx_status_name(status));
    return 1;
  }
  return phx_finalize(handle) == PHX_OK ? 0 : 1;
}
