#include "transport/shm/meeting.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "transport/shm/layout.h"

namespace phalanx::transport::shm {
namespace {

/// Before another try at a peer that does not listen: at first, and at most.
constexpr TimeNs kPauseMin = 10 * kMillisecond;
constexpr TimeNs kPauseMax = 100 * kMillisecond;
/// Who connects has to say who it is by then.
constexpr TimeNs kIntroductionTime = kSecond;
/// Connections that have not said yet who they are.
constexpr std::size_t kGuestsMax = 64;
constexpr int kTick = 10;  ///< Milliseconds, while a link is missing.

constexpr std::size_t kPageBytes = (sizeof(LinkPage) + 4095) / 4096 * 4096;

sockaddr_un address_of(const std::string& path) noexcept {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.data(), std::min(path.size(), sizeof out.sun_path - 1));
  return out;
}

Fd seqpacket_socket() noexcept {
  return Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void ring(const Fd& bell) noexcept { (void)eventfd_write(bell.get(), 1); }

bool move(Peer& peer, Stage from, Stage to) noexcept {
  return peer.stage.compare_exchange_strong(from, to, std::memory_order_acq_rel);
}

Expected<Memory, Error> fresh_page() {
  auto page = Memory::create("phalanx-link", kPageBytes, kPageBytes);
  if (page) new (page->data()) LinkPage{};
  return page;
}

}  // namespace

std::uint64_t Meeting::frames_bytes(std::uint32_t slots, std::uint32_t frame_bytes) {
  return (kNodePageBytes + std::uint64_t{slots} * stride_of(frame_bytes) + 4095) / 4096 * 4096;
}

Meeting::Meeting(const Options& options, const Memory& frames, std::uint32_t slots)
    : own_{.node = options.self,
           .ring_frames = kRingFrames,
           .frame_bytes = options.frame_bytes,
           .slots = slots},
      frames_(frames),
      directory_(options.directory),
      peers_(std::make_unique<Peer[]>(options.nodes.size())) {
  for (const NodeId node : options.nodes) {
    if (node == options.self) continue;
    Peer& peer = peers_[peer_count_++];
    peer.node = node;
    peer.listens = options.self < node;
    peer.try_pause = kPauseMin;
  }
}

Expected<std::unique_ptr<Meeting>, Error> Meeting::open(const Options& options,
                                                        const Memory& frames, std::uint32_t slots) {
  std::unique_ptr<Meeting> made(new Meeting(options, frames, slots));
  auto sockets = HostSockets::open(options.directory, options.self);
  if (!sockets) return fail(std::move(sockets.error()));
  made->sockets_ = std::make_unique<HostSockets>(std::move(*sockets));
  made->bell_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  made->worker_bell_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made->bell_ || !made->worker_bell_) {
    return fail(system_error("cannot meet the nodes of this host", "eventfd", errno));
  }
  if (auto listening = made->listen(); !listening) return fail(std::move(listening.error()));
  if (auto started = made->start(); !started) return fail(std::move(started.error()));
  return made;
}

Expected<void, Error> Meeting::start() {
  // Signals are for the daemon's own thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = 0;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    failed = error.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) {
    return fail(system_error("cannot start the thread that meets the nodes of this host",
                             "pthread_create", failed, "allow this user more processes"));
  }
  (void)pthread_setname_np(thread_.native_handle(), "phx-shm-links");
  return {};
}

Meeting::~Meeting() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_release);
  ring(bell_);
  thread_.join();
}

Expected<void, Error> Meeting::listen() {
  const std::string path = sockets_->path_of(static_cast<NodeId>(own_.node));
  const std::string attempted = "cannot listen on the socket " + path;
  listener_ = seqpacket_socket();
  if (!listener_) return fail(system_error(attempted, "socket", errno));
  const sockaddr_un address = address_of(path);
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(system_error(attempted, "bind", errno,
                             "set node.runtime_directory or PHX_RUNTIME_DIR to another one"));
  }
  if (::listen(listener_.get(), 64) != 0) return fail(system_error(attempted, "listen", errno));
  return {};
}

void Meeting::run() noexcept {
  while (!stop_.load(std::memory_order_acquire)) {
    try {
      wait(tend(monotonic_now()));
    } catch (const std::bad_alloc&) {
      note("no memory is left to meet the nodes of this host");
      (void)poll(nullptr, 0, kTick);
    }
  }
}

/// @return Whether nothing is to be done before something is heard.
bool Meeting::tend(TimeNs now) {
  bool quiet = guests_.empty() && now >= deaf_until_;
  for (Peer& peer : peers()) {
    const Stage stage = peer.stage.load(std::memory_order_acquire);
    if (stage == Stage::Left) take_apart(peer);
    if (stage != Stage::Left && stage != Stage::Down) continue;
    if (peer.listens) continue;  // It comes.
    quiet = false;
    if (now < peer.try_at) continue;
    if (peer.socket) {
      take_apart(peer);  // No answer came.
    } else {
      connect(peer, now);
    }
  }
  std::erase_if(guests_, [now](const Guest& guest) { return !guest.socket || now > guest.until; });
  return quiet;
}

void Meeting::wait(bool quiet) {
  std::vector<pollfd> polled{
      {.fd = bell_.get(), .events = POLLIN, .revents = 0},
      {.fd = monotonic_now() < deaf_until_ ? -1 : listener_.get(), .events = POLLIN, .revents = 0}};
  std::vector<Peer*> linked;
  for (const Guest& guest : guests_) polled.push_back({guest.socket.get(), POLLIN, 0});
  for (Peer& peer : peers()) {
    const Stage stage = peer.stage.load(std::memory_order_acquire);
    if (!peer.socket || stage == Stage::Cut || stage == Stage::Left) continue;
    linked.push_back(&peer);
    // What comes over a link is for the worker, which is woken by it.
    const short events = stage == Stage::Down ? POLLIN : POLLRDHUP;
    polled.push_back({peer.socket.get(), events, 0});
  }
  if (poll(polled.data(), polled.size(), quiet ? -1 : kTick) <= 0) return;
  eventfd_t ignored = 0;
  if (polled[0].revents != 0) (void)eventfd_read(bell_.get(), &ignored);
  const std::size_t guests = guests_.size();
  for (std::size_t i = 0; i < guests; ++i) {
    if (polled[2 + i].revents != 0) admit(guests_[i]);
  }
  for (std::size_t i = 0; i < linked.size(); ++i) {
    if (polled[2 + guests + i].revents == 0) continue;
    Peer& peer = *linked[i];
    if (peer.stage.load(std::memory_order_acquire) == Stage::Down) {
      answered(peer);
    } else {
      hang_up(peer);
    }
  }
  if (polled[1].revents != 0) accept_guests(monotonic_now());
}

void Meeting::accept_guests(TimeNs now) {
  for (std::size_t i = 0; i < kGuestsMax; ++i) {
    Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
      note("no connection of a node of this host can be taken: are there descriptors left?");
      deaf_until_ = now + kPauseMax;
      return;
    }
    // All places are taken by whoever says nothing: who has said nothing longest makes room.
    if (guests_.size() == kGuestsMax) guests_.erase(guests_.begin());
    guests_.push_back({.socket = std::move(socket), .until = now + kIntroductionTime});
  }
}

void Meeting::admit(Guest& guest) {
  const Fd& socket = guest.socket;
  auto heard = hear(socket.get());
  const auto known = std::ranges::find_if(peers(), [&](const Peer& peer) {
    return heard && peer.listens && peer.node == heard->said.node;
  });
  if (!heard || known == peers().end()) {
    guest.socket.reset();
    return;
  }
  Peer& peer = *known;
  auto page = fresh_page();
  // While the link to its predecessor is still taken apart it has to come again.
  if (peer.stage.load(std::memory_order_acquire) != Stage::Down || !page ||
      !introduce(socket.get(), own_, frames_.fd(), page->fd())) {
    guest.socket.reset();
    return;
  }
  peer.own_page = std::move(*page);
  peer.socket = std::move(guest.socket);
  if (!link(peer, std::move(*heard))) take_apart(peer);
}

void Meeting::connect(Peer& peer, TimeNs now) {
  peer.try_at = now + peer.try_pause;
  peer.try_pause = std::min(2 * peer.try_pause, kPauseMax);
  Fd socket = seqpacket_socket();
  const sockaddr_un address = address_of(sockets_->path_of(peer.node));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EACCES || errno == EPERM)
      note("the socket of a node of this host is closed to us");
    return;
  }
  auto page = fresh_page();
  if (!page || !introduce(socket.get(), own_, frames_.fd(), page->fd())) return;
  peer.own_page = std::move(*page);
  peer.socket = std::move(socket);
  peer.try_at = now + kIntroductionTime;
}

void Meeting::answered(Peer& peer) {
  auto heard = hear(peer.socket.get());
  if (heard && heard->said.node == peer.node && link(peer, std::move(*heard))) return;
  take_apart(peer);
}

bool Meeting::link(Peer& peer, Introduced introduced) {
  if (const char* why = why_not(own_, introduced.said)) {
    note(why);
    return false;
  }
  constexpr std::size_t kReady = Memory::kReadyBytes;
  auto page = Memory::map(std::move(introduced.page), kPageBytes, kPageBytes);
  auto frames = Memory::map(std::move(introduced.frames),
                            frames_bytes(introduced.said.slots, own_.frame_bytes), kReady);
  if (!page || !frames) {
    note("the memory of a node of this host is not as it said, or could not be mapped");
    return false;
  }
  peer.peers_page = std::move(*page);
  peer.peers_frames = std::move(*frames);
  peer.peers_slots = introduced.said.slots;
  peer.try_pause = kPauseMin;
  peer.stage.store(Stage::Ready, std::memory_order_release);
  tell_worker();
  return true;
}

void Meeting::hang_up(Peer& peer) noexcept {
  if (move(peer, Stage::Ready, Stage::Left) || !move(peer, Stage::Up, Stage::Cut)) return;
  tell_worker();
}

void Meeting::take_apart(Peer& peer) noexcept {
  peer.socket.reset();
  peer.own_page = {};
  peer.peers_page = {};
  peer.peers_frames = {};
  peer.try_at = monotonic_now() + peer.try_pause;
  peer.stage.store(Stage::Down, std::memory_order_release);
}

void Meeting::left(Peer& peer, const char* what) noexcept {
  if (what != nullptr) note(what);
  peer.stage.store(Stage::Left, std::memory_order_release);
  ring(bell_);
}

void Meeting::note(const char* what) noexcept {
  trouble_.store(what, std::memory_order_relaxed);
  trouble_at_.store(monotonic_now(), std::memory_order_relaxed);
  troubles_.fetch_add(1, std::memory_order_relaxed);
}

Meeting::Trouble Meeting::trouble() const noexcept {
  return {.what = trouble_.load(std::memory_order_relaxed),
          .count = troubles_.load(std::memory_order_relaxed),
          .at = trouble_at_.load(std::memory_order_relaxed)};
}

void Meeting::tell_worker() noexcept {
  changes_.fetch_add(1, std::memory_order_release);
  ring(worker_bell_);
}

}  // namespace phalanx::transport::shm
