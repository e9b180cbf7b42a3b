#include <poll.h>
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "ipc/call/server/server.h"
#include "ipc/call/waiting.h"
#include "ipc/shm/barrier.h"

namespace phalanx::call {
namespace {

/// A thread that always finds something looks at its socket this often.
constexpr std::uint32_t kTurnsALook = 64;

/// A message whose header was read once and checked.
struct Message {
  RequestKind kind = RequestKind::Post;
  RequestBody body{};
  std::span<const std::byte> bytes;
  [[nodiscard]] bool is_call() const noexcept {
    return kind == RequestKind::Call || kind == RequestKind::BufferCall;
  }
};

enum class Verdict : std::uint8_t { Handled, NotNow, Lie };

/// False: a lie. Into the loop that calls it: 3 of 9 ns a post, with handle().
[[gnu::always_inline]] inline bool parse(const Connection& c, const shm::BulkRecord& record,
                                         Message& out) noexcept {
  const Geometry& g = c.memory.geometry();
  if (record.kind < static_cast<std::uint8_t>(RequestKind::Call) ||
      record.kind > static_cast<std::uint8_t>(RequestKind::BufferPost) ||
      record.body.size() < sizeof out.body) {
    return false;
  }
  out.kind = static_cast<RequestKind>(record.kind);
  std::memcpy(&out.body, record.body.data(), sizeof out.body);
  // The copy is what counts, whatever the client writes next.
  asm volatile("" : "+m"(out.body));
  out.bytes = record.body.subspan(sizeof out.body);
  if (out.kind == RequestKind::Post) [[likely]] {
    if (out.bytes.size() > g.message_bytes_max || out.body.reply_bytes > out.bytes.size())
      return false;
    out.bytes = out.bytes.first(out.bytes.size() - out.body.reply_bytes);
    return true;
  }
  if (out.kind == RequestKind::BufferCall || out.kind == RequestKind::BufferPost) {
    BufferRange range;
    if (out.bytes.size() != sizeof range) return false;
    std::memcpy(&range, out.bytes.data(), sizeof range);
    asm volatile("" : "+m"(range));
    if (range.offset > g.buffer_bytes || range.bytes > g.buffer_bytes - range.offset ||
        range.offset % 8 != 0) {
      return false;
    }
    out.bytes = {c.memory.buffers() + range.offset, range.bytes};
  } else if (out.bytes.size() > g.message_bytes_max) {
    return false;
  }
  return !out.is_call() ||
         (out.body.slot < g.outstanding_max && out.body.reply_bytes <= g.message_bytes_max);
}

/// Notes that a reply is due, and keeps room for it.
Verdict open_call(phx_ipc_server& server, Connection& c, const RequestBody& body,
                  phx_ipc_request& request) noexcept {
  c.called = true;
  const client::BiasedGuard guard(server.places[index_of(c.value)].lock);
  OpenCall& call = c.calls[body.slot];
  if (call.open) return Verdict::Lie;
  if (!keep_room(c, call, body.reply_bytes)) {
    if (c.responses.broken()) return Verdict::Lie;
    c.stalled.store(true, std::memory_order_relaxed);
    return Verdict::NotNow;
  }
  call.open = call.ever = true;
  call.sequence = body.sequence;
  ++call.turn;
  ++c.open_calls;
  request = static_cast<phx_ipc_request>(call.turn) << 8 | (body.slot + 1);
  return Verdict::Handled;
}

phx_status refuse_locked(phx_ipc_server& server, Connection& c, phx_ipc_request request,
                         phx_status status) noexcept {
  const client::BiasedGuard guard(server.places[index_of(c.value)].lock);
  return refuse(server, c, request, status);
}

void run_handler(phx_ipc_server& server, const phx_ipc_handler& handler,
                 const phx_ipc_message& message) noexcept {
  const phx_ipc_hooks& hooks = server.hooks;
  void* context = server.options.context;
  if (hooks.serialize_lock != nullptr) hooks.serialize_lock(context);
  handler.handle(context, &server, &message);
  if (hooks.serialize_unlock != nullptr) hooks.serialize_unlock(context);
}

/// What a service has no handler for.
Verdict handle_unknown(phx_ipc_server& server, Connection& c, const Message& message) noexcept {
  if (message.is_call()) {
    phx_ipc_request request = 0;
    const Verdict opened = open_call(server, c, message.body, request);
    if (opened == Verdict::Handled) (void)refuse_locked(server, c, request, PHX_NOT_SUPPORTED);
    return opened;
  }
  if (!c.named_unknown) {  // Once: how long the log gets is not the client's to say.
    c.named_unknown = true;
    say(server, 4, "process %d sent message %u, which service %u has not", c.pid, message.body.id,
        c.service->service);
  }
  return Verdict::Handled;
}

/// A message that sending_allowed() is asked about.
Verdict handle_if_allowed(phx_ipc_server& server, Connection& c, const phx_ipc_handler& handler,
                          const phx_ipc_message& told, bool is_call) noexcept {
  alignas(16) std::byte kept[PHX_IPC_PRIVATE_BYTES] = {};
  if (server.hooks.sending_allowed(server.options.context, &told, kept) == 0) {
    if (!is_call) {
      c.held_back.store(true, std::memory_order_relaxed);
      return Verdict::NotNow;
    }
    (void)refuse_locked(server, c, told.request, PHX_TRY_AGAIN);
    return Verdict::Handled;
  }
  run_handler(server, handler, told);
  if (server.hooks.sending_allowed_release != nullptr)
    server.hooks.sending_allowed_release(server.options.context, kept);
  return Verdict::Handled;
}

[[gnu::always_inline]] inline Verdict handle(phx_ipc_server& server, Connection& c,
                                             const Message& message) noexcept {
  const std::uint32_t id = message.body.id;
  if (id >= c.service->handler_count || c.service->handlers[id].handle == nullptr) [[unlikely]]
    return handle_unknown(server, c, message);
  const phx_ipc_handler& handler = c.service->handlers[id];
  phx_ipc_message told{.connection = c.value,
                       .request = 0,
                       .service = c.service->service,
                       .id = message.body.id,
                       .data = message.bytes.data(),
                       .bytes = message.bytes.size(),
                       .reply_bytes_max = message.is_call() ? message.body.reply_bytes : 0,
                       .private_data = c.private_data};
  if (message.is_call()) {
    const Verdict opened = open_call(server, c, message.body, told.request);
    if (opened != Verdict::Handled) return opened;
  }
  if (handler.flow_control != 0 && server.hooks.sending_allowed != nullptr) [[unlikely]]
    return handle_if_allowed(server, c, handler, told, message.is_call());
  run_handler(server, handler, told);
  return Verdict::Handled;
}

void break_off(phx_ipc_server& server, Connection& c) noexcept {
  if (c.broken) return;
  c.broken = true;
  say(server, 4, "cut process %d of user %u off: its rings hold what no client writes", c.pid,
      c.uid);
  const client::BiasedGuard guard(server.places[index_of(c.value)].lock);
  cut_off(c, State::Broken);
}

/// Whether what waits fits, and enough that it is worth a call. Under the place's lock.
bool has_room(Connection& c) noexcept {
  c.events.refresh_both();
  const std::uint64_t quarter = c.events.ring_bytes() / 4;
  return c.events.free_bytes() >= (c.ring_awaited > quarter ? c.ring_awaited : quarter) &&
         (c.bulk_awaited == 0 || c.events.bulk_free_bytes() >= c.bulk_awaited);
}

void tell_of_room(phx_ipc_server& server, Connection& c) noexcept {
  if (c.service->room != nullptr)
    c.service->room(server.options.context, &server, c.value, c.private_data);
}

/// A sender that found the dispatch ring full waits for this.
void look_for_room(phx_ipc_server& server, Connection& c) noexcept {
  {
    const client::BiasedGuard guard(server.places[index_of(c.value)].lock);
    if (!c.awaits_room) return;
    if (!has_room(c)) {
      ask_for_room(c);
      if (!has_room(c)) return;
    }
    c.awaits_room = false;
    c.ring_awaited = c.bulk_awaited = 0;
    // Room alone is no sign of a client that reads.
    if (c.events.released_bytes() != c.released_then) c.blocked_since = 0;
    std::atomic_ref(c.memory.page()->flow_control).store(0, std::memory_order_relaxed);
  }
  tell_of_room(server, c);
}

/// Gives the space of handled requests back, and wakes a client that waits for it.
void release_requests(Connection& c) noexcept {
  if (c.requests.release(shm::publish_order(c.barriers))) wake_client(c, kWaitsForRoom);
}

/// A turn's share of what a client had sent before it went: in all a ring full at most, should it
/// go on sending. True: there may be more.
bool serve_some_of_the_rest(phx_ipc_server& server, Connection& c) noexcept {
  const std::uint64_t ring =
      c.memory.geometry().request_bytes / shm::ring_record_bytes(sizeof(RequestBody));
  const std::uint64_t left = ring - (c.rest_served < ring ? c.rest_served : ring);
  const std::size_t most = server.options.turn_messages_max;
  if (c.broken || left == 0) return false;
  const std::size_t served = serve(server, c, left < most ? left : most);
  c.rest_served += served;
  return served > 0;
}

/// Asks the client for a byte when it sends. True: something waits already.
bool arm(Connection& c) noexcept {
  if (ask_for_wake(c)) fence_before_sleep(c.barriers);
  return look_again(c);
}

struct OfThread {
  phx_ipc_server* server;
  Connection* connection;
};

void take_policy(const phx_ipc_server& server) noexcept {
  if (server.options.thread_policy == 0 && server.options.thread_priority == 0) return;
  const sched_param parameter{.sched_priority = server.options.thread_priority};
  const int error = pthread_setschedparam(pthread_self(), server.options.thread_policy, &parameter);
  if (error != 0) {
    say(server, 4, "cannot give a thread policy %d and priority %d: %s",
        server.options.thread_policy, server.options.thread_priority, std::strerror(error));
  }
}

void* serve_alone(void* argument) {
  auto* const of = static_cast<OfThread*>(argument);
  phx_ipc_server& server = *of->server;
  Connection& c = *of->connection;
  release(server, of);
  { const client::BiasedGuard until_the_client_is_told(server.places[index_of(c.value)].lock); }
  take_policy(server);
  Spinner spinner(false, server.spin_ns);
  Gatherer gatherer;
  TimeNs now = 0;
  if (server.spin_ns > 0) take_short_turns();
  bool there = true;
  std::uint32_t busy = 0;
  const std::size_t most = server.options.turn_messages_max;
  while (there && !c.broken && !c.cut.load(std::memory_order_relaxed)) {
    if (const std::size_t count = serve(server, c, most); count > 0) {
      spinner.start_again();
      gather(gatherer, count, c.called, c.requests.queued_bytes() != 0);
      // A client that died while there is always something shows on the socket alone.
      if (++busy % kTurnsALook == 0) there = drain(c.socket);
      continue;
    }
    gatherer.look_at_once();
    if (spinner.turn(now)) continue;
    spinner.start_again();
    if (arm(c)) continue;
    // What sending_allowed() holds back, and a call without room for its reply, are tried again by
    // the clock: resume() and who makes room know no threads.
    const bool held = c.held_back.load(std::memory_order_relaxed);
    const bool by_clock = held || c.stalled.load(std::memory_order_relaxed);
    there = sleep_and_drain(c.socket, by_clock ? monotonic_now() + kMillisecond : kNever);
    if (held) c.held_back.store(false, std::memory_order_relaxed);
  }
  while (serve_some_of_the_rest(server, c)) {
  }
  end_connection(server, c);
  server.threads.fetch_sub(1, std::memory_order_release);
  return nullptr;
}

}  // namespace

std::size_t serve(phx_ipc_server& server, Connection& c, std::size_t most) noexcept {
  std::size_t count = 0;
  shm::BulkRecord record;
  c.called = false;
  if (c.awaits_room) look_for_room(server, c);
  if (c.awaits_broadcast_room.load(std::memory_order_relaxed) && has_broadcast_room(server, c))
    tell_of_room(server, c);
  if (c.held_back.load(std::memory_order_relaxed) || c.broken ||
      c.cut.load(std::memory_order_relaxed)) {
    return 0;
  }
  c.stalled.store(false, std::memory_order_relaxed);
  const phx_ipc_server*& in_handler = handling();
  const phx_ipc_server* const outer = in_handler;  // Handlers of one server may call another's.
  in_handler = &server;
  // A client that is cut off may post for ever.
  while (count < most && !c.cut.load(std::memory_order_relaxed) && c.requests.peek(record)) {
    Message message;
    Verdict verdict = Verdict::Lie;
    if (parse(c, record, message)) verdict = handle(server, c, message);
    if (verdict == Verdict::Lie) {
      break_off(server, c);
      break;
    }
    if (verdict == Verdict::NotNow) break;
    c.requests.pop();
    ++count;
    if (c.requests.release_is_due()) release_requests(c);
  }
  in_handler = outer;
  if (c.requests.broken()) break_off(server, c);
  if (count > 0) {
    release_requests(c);
    c.handled.fetch_add(count, std::memory_order_relaxed);
  }
  return count;
}

bool ask_for_wake(Connection& c) noexcept {
  // One that stands since the last barrier is as good as new: who published since took it.
  std::atomic_ref sleeps(c.memory.page()->server_sleeps);
  if (sleeps.load(std::memory_order_acquire) != 0) return false;
  sleeps.store(1, std::memory_order_seq_cst);
  return true;
}

bool look_again(Connection& c) noexcept {
  // What cannot be handled now is no reason to stay awake: room, or resume(), wakes us.
  if (c.broken || c.stalled.load(std::memory_order_relaxed) ||
      c.held_back.load(std::memory_order_relaxed))
    return false;
  if (!c.requests.refresh(std::memory_order_seq_cst) && !c.requests.broken()) return false;
  std::atomic_ref(c.memory.page()->server_sleeps).store(0, std::memory_order_relaxed);
  return true;
}

void on_doorbell(phx_ipc_server& server, unsigned index) noexcept {
  Connection& c = *server.places[index].served;
  const std::size_t most = server.options.turn_messages_max;
  // What came is served first: somebody waits for its reply, and nobody for the byte to be taken.
  std::size_t served = c.hung_up ? 0 : serve(server, c, most);
  c.hung_up = c.hung_up || !drain(c.socket);
  // The byte may have told of room that there was not yet when it was looked for.
  const bool waits_for_room = c.awaits_room ||
                              c.awaits_broadcast_room.load(std::memory_order_relaxed) ||
                              c.stalled.load(std::memory_order_relaxed);
  if (waits_for_room && !c.hung_up && !c.broken) served += serve(server, c, most - served);
  if (c.hung_up || c.broken) {
    // Its socket stays readable: the rest comes in turns like everything else.
    if (served > 0 || serve_some_of_the_rest(server, c)) return;
    forget(server, c.socket);
    server.places[index].served = nullptr;
    end_connection(server, c);
    return;
  }
  const bool more = served == most || arm(c);
  if (more == c.polled_for_more) return;
  c.polled_for_more = more;
  change(server, c.socket, more ? POLLIN | POLLOUT : POLLIN, index);
}

int start_thread(phx_ipc_server& server, Connection& c) noexcept {
  if (!let_reads_sleep(c.socket)) return errno;
  auto* of = static_cast<OfThread*>(allocate(server, sizeof(OfThread)));
  if (of == nullptr) return ENOMEM;
  *of = {&server, &c};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  server.threads.fetch_add(1, std::memory_order_relaxed);
  const int error = pthread_create(&thread, &attributes, serve_alone, of);
  pthread_attr_destroy(&attributes);
  if (error == 0) return 0;
  server.threads.fetch_sub(1, std::memory_order_relaxed);
  release(server, of);
  return error;
}

}  // namespace phalanx::call
