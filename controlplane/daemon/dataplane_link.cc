#include "controlplane/daemon/dataplane_link.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "controlplane/daemon/log.h"
#include "controlplane/daemon/spawn.h"
#include "ipc/base/assert.h"

namespace phalanx::controlplane {
namespace {

constexpr TimeNs kWelcomeLimit = 500 * kMillisecond;
constexpr TimeNs kRetryGap = kMillisecond;              // While one that we started comes up.
constexpr TimeNs kForeignRetryGap = 50 * kMillisecond;  // While somebody else starts one.
constexpr TimeNs kHangUpGrace = 100 * kMillisecond;
constexpr TimeNs kHealthyAfter = kSecond;
/// The peers let the dead one go first. On a host that they share, as in tests, the start of the
/// next would take the processor from them just then: it maps and clears all of its memory.
constexpr TimeNs kLetGo = 20 * kMillisecond;
constexpr TimeNs kBackOffMin = 50 * kMillisecond;
constexpr TimeNs kBackOffMax = 10 * kSecond;

constexpr int kLinesATurn = 64;

spdlog::level::level_enum level_of(shm::LogLine::Level level) noexcept {
  switch (level) {
    case shm::LogLine::Level::Error:
      return spdlog::level::err;
    case shm::LogLine::Level::Warn:
      return spdlog::level::warn;
    case shm::LogLine::Level::Info:
      return spdlog::level::info;
    case shm::LogLine::Level::Debug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

bool has_ended(int process_fd) noexcept {
  pollfd wait{.fd = process_fd, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, 0) > 0;
}

bool is_hung_up(int socket) noexcept {
  pollfd wait{.fd = socket, .events = 0, .revents = 0};
  return poll(&wait, 1, 0) > 0 && (wait.revents & (POLLHUP | POLLERR)) != 0;
}

void send_signal(int process_fd, int signal) noexcept {
  (void)syscall(SYS_pidfd_send_signal, process_fd, signal, nullptr, 0);
}

}  // namespace

/// What exists only while a data plane lives. Watches come last: they go first.
struct DataPlaneLink::Live {
  Live(Fd connection, shm::Welcome welcome, shm::ControlSegment mapped)
      : socket(std::move(connection)),
        command_doorbell(std::move(welcome.command_doorbell)),
        event_doorbell(std::move(welcome.event_doorbell)),
        segment(std::move(mapped)),
        end(segment, command_doorbell.get()) {}

  Fd socket;
  Fd command_doorbell;
  Fd event_doorbell;
  Fd process;
  Fd witness;  // Of one thread; none where the kernel cannot tell.
  shm::ControlSegment segment;
  shm::ControlPlaneEnd end;
  TimeNs since = 0;
  Watch socket_watch;
  Watch event_watch;
  Watch process_watch;
  Watch witness_watch;
};

DataPlaneLink::DataPlaneLink(EventLoop& loop, Options options, Handlers handlers)
    : loop_(loop),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      retry_(loop, [this] { look(); }),
      welcome_limit_(loop, [this] { no_welcome("it accepts, and says nothing"); }),
      hung_up_(loop,
               [this] {
                 if (live_ && !stopping_) replace("it hung up");
               }),
      kill_(loop, [this] {
        if (live_) send_signal(live_->process.get(), SIGKILL);
        if (dying_) send_signal(dying_->process.get(), SIGKILL);
        if (child_fd_) send_signal(child_fd_.get(), SIGKILL);
      }) {}

DataPlaneLink::~DataPlaneLink() = default;

void DataPlaneLink::begin() { retry_.arm(0); }

void DataPlaneLink::look() {
  if (stopping_ || live_ || greeting_) return;
  auto connection = shm::connect_data_plane(options_.socket_path.c_str());
  if (connection) {
    greeting_ = std::move(*connection);
    greeting_watch_ =
        Watch(loop_, greeting_.get(), EPOLLIN, [this](std::uint32_t) { on_welcome(); });
    return welcome_limit_.arm(monotonic_now() + kWelcomeLimit);
  }
  const Error& error = connection.error();
  if (error.code == ExitCode::Permission) return handlers_.failed(error);
  if (error.code != ExitCode::NotRunning) {
    log("dataplane").warn("data plane does not answer observed=\"{}\"", error.observed);
    return again_later();
  }
  if (child_ > 0) {
    if (monotonic_now() > started_at_ + options_.start_limit) {
      log("dataplane")
          .error("data plane does not listen pid={} waited_s={}", child_,
                 options_.start_limit / kSecond);
      send_signal(child_fd_.get(), SIGKILL);  // on_child_exit() goes on.
      return;
    }
    retry_.arm(monotonic_now() + kRetryGap);
  } else if (options_.may_start) {
    start_one();
  } else {
    retry_.arm(monotonic_now() + kForeignRetryGap);
  }
}

void DataPlaneLink::on_welcome() {
  auto welcome = shm::receive_welcome(greeting_.get());
  if (!welcome) return no_welcome(welcome.error().observed);
  if (*welcome) take(std::move(**welcome));
}

void DataPlaneLink::no_welcome(std::string_view observed) {
  log("dataplane").warn("data plane does not answer observed=\"{}\"", observed);
  (void)end_greeting();
  again_later();
}

Fd DataPlaneLink::end_greeting() {
  welcome_limit_.disarm();
  greeting_watch_.reset();
  return std::move(greeting_);
}

void DataPlaneLink::start_one() {
  const auto pid = spawn_detached(options_.program, options_.arguments, options_.input());
  if (!pid) return handlers_.failed(pid.error());
  started_at_ = monotonic_now();
  child_ = *pid;
  ++starts_;
  auto process = open_process(child_);
  if (!process) return handlers_.failed(process.error());
  child_fd_ = std::move(*process);
  child_watch_ = Watch(loop_, child_fd_.get(), EPOLLIN, [this](std::uint32_t) { on_child_exit(); });
  log("dataplane").info("data plane started pid={} program={}", child_, options_.program);
  retry_.arm(started_at_ + kRetryGap);
}

void DataPlaneLink::take(shm::Welcome welcome) {
  Fd connection = end_greeting();
  const auto pid = static_cast<pid_t>(welcome.pid);
  auto process = open_process(pid);
  // A process that is gone would have hung up: only then is the number surely its.
  if (!process || is_hung_up(connection.get())) return again_later();
  auto segment =
      shm::ControlSegment::map(std::move(welcome.segment), std::move(welcome.statistics));
  if (!segment) {
    log("dataplane")
        .error("data plane refused pid={} observed=\"{}\"", pid, segment.error().observed);
    return again_later();
  }
  identity_ = segment->identity();
  live_ = std::make_unique<Live>(std::move(connection), std::move(welcome), std::move(*segment));
  live_->process = std::move(*process);
  live_->since = monotonic_now();
  live_->process_watch =
      Watch(loop_, live_->process.get(), EPOLLIN, [this](std::uint32_t) { on_exit(); });
  live_->socket_watch =
      Watch(loop_, live_->socket.get(), EPOLLIN, [this](std::uint32_t) { on_socket(); });
  if (auto witness = open_thread(static_cast<pid_t>(identity_.witness)); witness) {
    live_->witness = std::move(*witness);
    live_->witness_watch =
        Watch(loop_, live_->witness.get(), EPOLLIN, [this](std::uint32_t) { on_witness(); });
  }
  if (child_ == pid) {
    child_watch_.reset();
    child_fd_.reset();
  }
  if (identity_.self.node != options_.node || identity_.config_hash != options_.config_hash) {
    return replace("it runs with another configuration");
  }
  // What an earlier control plane left makes room for the answers to the first orders.
  std::vector<shm::Event> left;
  while (auto event = live_->end.take_event()) left.push_back(std::move(*event));
  handlers_.up(identity_);
  for (const shm::Event& event : left) {
    if (live_) handlers_.event(event);
  }
  if (!live_) return;
  live_->event_watch = Watch(loop_, live_->event_doorbell.get(), EPOLLIN, [this](std::uint32_t) {
    std::uint64_t rings = 0;
    (void)!read(live_->event_doorbell.get(), &rings, sizeof rings);
    drain();
  });
  drain();
}

void DataPlaneLink::drain() {
  while (live_) {
    while (auto event = live_->end.take_event()) {
      handlers_.event(*event);
      if (!live_) return;
    }
    if (!live_->end.arm()) return;
  }
}

/// Writes the data plane's lines into the log; false when there will be no more.
bool DataPlaneLink::take_lines() {
  for (int lines = 0; lines < kLinesATurn; ++lines) {
    const auto line = shm::receive_log_line(live_->socket.get());
    if (!line) return false;
    if (!*line) return true;
    log("dataplane").log(level_of((*line)->level), "{}", (*line)->text);
  }
  return true;
}

void DataPlaneLink::on_socket() {
  if (take_lines()) return;
  live_->socket_watch.reset();
  // The kernel closes the files of a dying process just before it reports the death itself. One
  // that lives on has dropped us: clients can not be handed to it any more.
  if (has_ended(live_->process.get())) return on_exit();
  hung_up_.arm(monotonic_now() + kHangUpGrace);
}

// A kill ends all threads: each dies before its program would go on. One that is asked to end lets
// its witness go while it still ends its work in good order; then only the whole death counts.
void DataPlaneLink::on_witness() {
  live_->witness_watch.reset();
  if (!stopping_) on_exit();
}

void DataPlaneLink::on_exit() {
  PHX_CHECK(live_);
  lived_ = monotonic_now() - live_->since;
  if (!stopping_) handlers_.down(identity_);  // First of all: the peers wait for the obituary.
  // What is left of it may hold the very core that the survivors on this host need now.
  if (!stopping_ && child_ == static_cast<pid_t>(identity_.pid)) let_die_last(child_);
  hung_up_.disarm();
  (void)take_lines();
  dying_ = std::move(live_);
  dying_->event_watch.reset();
  dying_->socket_watch.reset();
  dying_->witness_watch.reset();
  dying_->process_watch.reset();
  dying_->process_watch =
      Watch(loop_, dying_->process.get(), EPOLLIN, [this](std::uint32_t) { on_gone(); });
}

void DataPlaneLink::on_gone() {
  dying_.reset();  // Late: to unmap the segment takes the kernel a third of a millisecond.
  kill_.disarm();
  const auto pid = static_cast<pid_t>(identity_.pid);
  const std::string how = reap(pid);
  if (child_ == pid) child_ = -1;
  if (stopping_) {
    log("dataplane").info("data plane ended pid={} how=\"{}\"", pid, how);
    return handlers_.down(identity_);
  }
  log("dataplane")
      .error("data plane died pid={} how=\"{}\" lived_ms={}", pid, how.empty() ? "unknown" : how,
             lived_ / kMillisecond);
  if (lived_ >= kHealthyAfter) back_off_ = kLetGo;
  again_later();
}

void DataPlaneLink::on_child_exit() {
  child_watch_.reset();
  child_fd_.reset();
  const std::string how = reap(child_);
  log("dataplane").error("data plane ended before it listened pid={} how=\"{}\"", child_, how);
  child_ = -1;
  retry_.disarm();
  (void)end_greeting();
  if (stopping_) return handlers_.down(identity_);
  // It has told the reason itself. A configuration does not mend itself: say so and give up.
  if (how == "exit 2" || how == "exit 5" || how == "exit 127") {
    return handlers_.failed(Error{.code = how == "exit 5" ? ExitCode::Permission : ExitCode::Usage,
                                  .attempted = "cannot start the data plane " + options_.program,
                                  .observed = "it ended with " + how,
                                  .remedy = "mend what it says above"});
  }
  again_later();
}

void DataPlaneLink::again_later() {
  if (stopping_) return;
  retry_.arm(monotonic_now() + back_off_);
  if (back_off_ > 0) {
    log("dataplane").warn("data plane is tried again after_ms={}", back_off_ / kMillisecond);
  }
  back_off_ = std::clamp(2 * back_off_, kBackOffMin, kBackOffMax);
}

void DataPlaneLink::stop(TimeNs grace) {
  stopping_ = true;
  retry_.disarm();
  (void)end_greeting();
  if (!live_ && !child_fd_ && !dying_) return handlers_.down(identity_);
  if (live_) send_signal(live_->process.get(), SIGTERM);
  if (child_fd_) send_signal(child_fd_.get(), SIGTERM);
  kill_.arm(monotonic_now() + grace);
}

void DataPlaneLink::replace(const char* why) {
  log("dataplane").warn("data plane is replaced pid={} reason=\"{}\"", identity_.pid, why);
  live_->event_watch.reset();
  send_signal(live_->process.get(), SIGKILL);
}

std::vector<std::pair<std::string_view, std::uint64_t>> DataPlaneLink::counters() const {
  std::vector<std::pair<std::string_view, std::uint64_t>> list;
  for (std::size_t i = 0; live_ && i < shm::kCounters; ++i) {
    const auto counter = static_cast<shm::Counter>(i);
    list.emplace_back(shm::counter_name(counter), live_->end.counter(counter));
  }
  return list;
}

std::vector<std::pair<std::string, std::uint64_t>> DataPlaneLink::driver_counters() const {
  std::vector<std::pair<std::string, std::uint64_t>> list;
  const auto tables = live_ ? live_->end.tables() : nullptr;
  for (std::size_t i = 0; tables != nullptr && i < tables->extended; ++i) {
    std::string name = tables->port[i].name;
    std::ranges::replace_if(
        name, [](char c) { return c < '!' || c > '~'; }, '_');
    list.emplace_back(std::move(name), tables->port[i].value);
  }
  return list;
}

Expected<void, Error> DataPlaneLink::adopt(const shm::AdoptClient& client) {
  if (!live_) return fail(Error{.code = ExitCode::NotRunning, .attempted = "adopt a client"});
  return shm::send_adopt(live_->socket.get(), client);
}

Expected<void, Error> DataPlaneLink::read_keys_again() {
  if (!live_) return fail(Error{.code = ExitCode::NotRunning, .attempted = "read keys again"});
  return shm::send_keys(live_->socket.get());
}

bool DataPlaneLink::send(const shm::Command& command) { return live_ && live_->end.send(command); }

void DataPlaneLink::store_attempt(std::span<const std::byte> bytes) {
  if (!live_) return;
  // Without the latest a successor would break this one's word. It finds one that it cannot read,
  // and starts the data plane anew.
  const bool fits = bytes.size() <= shm::kAttemptBytesMax;
  live_->end.store_attempt(fits ? bytes : bytes.first(1));
}

std::vector<std::byte> DataPlaneLink::load_attempt() const {
  return live_ ? live_->end.load_attempt() : std::vector<std::byte>();
}

const shm::StatisticsMemory* DataPlaneLink::statistics() const noexcept {
  return live_ ? &live_->segment.statistics() : nullptr;
}

int DataPlaneLink::statistics_fd() const { return live_ ? live_->segment.statistics().fd() : -1; }

std::optional<shm::WorkerStatus> DataPlaneLink::status() const {
  return live_ ? live_->end.status() : std::nullopt;
}

}  // namespace phalanx::controlplane
