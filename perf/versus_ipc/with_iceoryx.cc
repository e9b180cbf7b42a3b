#include <sched.h>
#include <unistd.h>

#include <cstring>

#include "iceoryx_posh/popo/untyped_client.hpp"
#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_server.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"
#include "perf/versus_ipc/libraries.h"

namespace phalanx::perf {
namespace {

using iox::capro::IdString_t;
using iox::capro::ServiceDescription;

/// Nothing is thrown away, as in the other libraries: who is full waits.
constexpr std::uint64_t kQueue = 256;

IdString_t word(const std::string& text) { return {iox::cxx::TruncateToCapacity, text}; }
ServiceDescription calls(const std::string& name) { return {"perf", word(name), "calls"}; }
ServiceDescription messages(const std::string& name) { return {"perf", word(name), "messages"}; }

void join_roudi() {
  iox::runtime::PoshRuntime::initRuntime(
      iox::RuntimeName_t(iox::cxx::TruncateToCapacity, "perf-" + std::to_string(getpid())));
}

iox::popo::PublisherOptions publisher_options() {
  iox::popo::PublisherOptions options;
  options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  return options;
}
iox::popo::SubscriberOptions subscriber_options() {
  iox::popo::SubscriberOptions options;
  options.queueCapacity = kQueue;
  options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  return options;
}

std::uint32_t payload(const IpcShape& shape) {
  return static_cast<std::uint32_t>(shape.bytes == 0 ? 1 : shape.bytes);
}

/// Everything that waits; made only where the shape sleeps.
class Sleeper {
 public:
  template <class Origin, class State>
  void attach(Origin& origin, State state) {
    set_ = std::make_unique<iox::popo::WaitSet<>>();
    if (set_->attachState(origin, state).has_error()) set_.reset();
  }
  explicit Sleeper(IpcWait wait = IpcWait::Poll) : wait_(wait) {}
  void sleep() {
    if (wait_ == IpcWait::Yield) sched_yield();
    if (set_ == nullptr) return;
    using namespace iox::units::duration_literals;
    (void)set_->timedWait(100_ms);
  }

 private:
  IpcWait wait_;
  std::unique_ptr<iox::popo::WaitSet<>> set_;
};

class Server final : public IpcServer {
 public:
  bool start(const std::string& name, const IpcShape& shape, IpcShared& shared) override {
    shape_ = shape;
    shared_ = &shared;
    join_roudi();
    sleeper_ = Sleeper(shape.wait);
    const bool sleeps = shape.wait == IpcWait::Block;
    if (shape.mode == IpcMode::RequestReply) {
      server_ = std::make_unique<iox::popo::UntypedServer>(calls(name));
      if (sleeps) sleeper_.attach(*server_, iox::popo::ServerState::HAS_REQUEST);
    } else if (shape.mode == IpcMode::OneWay) {
      subscriber_ =
          std::make_unique<iox::popo::UntypedSubscriber>(messages(name), subscriber_options());
      if (sleeps) sleeper_.attach(*subscriber_, iox::popo::SubscriberState::HAS_DATA);
    } else {
      publisher_ =
          std::make_unique<iox::popo::UntypedPublisher>(messages(name), publisher_options());
    }
    return true;
  }

  void run() override {
    copy_.resize(payload(shape_));
    while (shared_->stop.load(std::memory_order_relaxed) == 0) {
      if (!once()) sleeper_.sleep();
    }
  }

 private:
  bool once() {
    if (shape_.mode == IpcMode::RequestReply) return reply();
    if (shape_.mode == IpcMode::Events) return publish();
    auto taken = subscriber_->take();
    if (taken.has_error()) return false;
    // Handled as a handler would be given it: in place.
    subscriber_->release(taken.value());
    auto& counter = shared_->server_count;
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return true;
  }
  bool reply() {
    auto taken = server_->take();
    if (taken.has_error()) return false;
    const void* request = taken.value();
    auto loaned = server_->loan(iox::popo::RequestHeader::fromPayload(request), payload(shape_), 8);
    if (!loaned.has_error()) {
      std::memcpy(loaned.value(), request, payload(shape_));
      (void)server_->send(loaned.value());
    }
    server_->releaseRequest(request);
    return true;
  }
  bool publish() {
    auto loaned = publisher_->loan(payload(shape_), 8);
    if (loaned.has_error()) return false;
    std::memcpy(loaned.value(), copy_.data(), copy_.size());
    publisher_->publish(loaned.value());
    return true;
  }

  IpcShape shape_;
  IpcShared* shared_ = nullptr;
  std::unique_ptr<iox::popo::UntypedServer> server_;
  std::unique_ptr<iox::popo::UntypedSubscriber> subscriber_;
  std::unique_ptr<iox::popo::UntypedPublisher> publisher_;
  Sleeper sleeper_;
  std::string copy_;
};

class Client final : public IpcClient {
 public:
  bool connect(const std::string& name, const IpcShape& shape) override {
    shape_ = shape;
    request_.assign(payload(shape), 'r');
    if (client_ != nullptr) return client_->getConnectionState() == iox::ConnectionState::CONNECTED;
    if (subscriber_ == nullptr && publisher_ == nullptr) {
      join_roudi();
      sleeper_ = Sleeper(shape.wait);
    }
    const bool sleeps = shape.wait == IpcWait::Block;
    if (shape.mode == IpcMode::RequestReply) {
      client_ = std::make_unique<iox::popo::UntypedClient>(calls(name));
      if (sleeps) sleeper_.attach(*client_, iox::popo::ClientState::HAS_RESPONSE);
      return client_->getConnectionState() == iox::ConnectionState::CONNECTED;
    }
    if (shape.mode == IpcMode::OneWay) {
      if (publisher_ == nullptr)
        publisher_ =
            std::make_unique<iox::popo::UntypedPublisher>(messages(name), publisher_options());
      return publisher_->hasSubscribers();
    }
    if (subscriber_ == nullptr) {
      subscriber_ =
          std::make_unique<iox::popo::UntypedSubscriber>(messages(name), subscriber_options());
      if (sleeps) sleeper_.attach(*subscriber_, iox::popo::SubscriberState::HAS_DATA);
    }
    return subscriber_->getSubscriptionState() == iox::SubscribeState::SUBSCRIBED;
  }
  bool call() override {
    auto loaned = client_->loan(payload(shape_), 8);
    if (loaned.has_error()) return false;
    std::memcpy(loaned.value(), request_.data(), request_.size());
    if (client_->send(loaned.value()).has_error()) return false;
    for (;;) {
      auto taken = client_->take();
      if (!taken.has_error()) {
        std::memcpy(request_.data(), taken.value(), request_.size());
        client_->releaseResponse(taken.value());
        return true;
      }
      sleeper_.sleep();
    }
  }
  std::size_t post() override {
    auto loaned = publisher_->loan(payload(shape_), 8);
    if (loaned.has_error()) return 0;
    std::memcpy(loaned.value(), request_.data(), request_.size());
    publisher_->publish(loaned.value());
    return 1;
  }
  std::size_t take() override {
    auto taken = subscriber_->take();
    if (taken.has_error()) {
      sleeper_.sleep();
      return 0;
    }
    subscriber_->release(taken.value());
    return 1;
  }

 private:
  IpcShape shape_;
  std::unique_ptr<iox::popo::UntypedClient> client_;
  std::unique_ptr<iox::popo::UntypedSubscriber> subscriber_;
  std::unique_ptr<iox::popo::UntypedPublisher> publisher_;
  Sleeper sleeper_;
  std::string request_;
};

}  // namespace

IpcLibrary iceoryx_library() {
  return {.name = "iceoryx",
          .make_server = []() -> std::unique_ptr<IpcServer> { return std::make_unique<Server>(); },
          .make_client = []() -> std::unique_ptr<IpcClient> { return std::make_unique<Client>(); }};
}

}  // namespace phalanx::perf
