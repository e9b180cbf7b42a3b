#include "tests/support/fake_server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ipc/shm/attach_server.h"
#include "ipc/shm/channel.h"
#include "ipc/shm/group_id.h"

using namespace phalanx;
using namespace phalanx::shm;

namespace {

constexpr NodeId kNode = 1;

void must(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

struct Client {
  Fd socket;
  ClientId id = 0;
  std::uint32_t pid = 0;
  bool attached = false;
  bool evicted = false;
  bool wake = false;
  std::set<GroupId> opened;
  WorkerChannel channel;
};

struct Room {
  std::string name;
  std::vector<GroupMember> members;
};

}  // namespace

struct fake_server {
  explicit fake_server(const fake_server_options& o) : options(o) {
    char pattern[] = "/tmp/phx-fake-XXXXXX";
    must(mkdtemp(pattern) != nullptr, "mkdtemp");
    directory = pattern;
    must(std::system(("mkdir -p " + directory + "/default").c_str()) == 0, "mkdir");
    epoll.reset(epoll_create1(EPOLL_CLOEXEC));
    kick.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watch(kick.get(), EPOLLIN | EPOLLET);
    listen_again();
    thread = std::thread([this] { run(); });
  }
  ~fake_server() {
    stopping = true;
    eventfd_write(kick.get(), 1);
    thread.join();
    clients.clear();
    (void)std::system(("rm -rf " + directory).c_str());
  }

  void listen_again() {
    const std::string path = directory + "/default/phalanx.sock";
    listener.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path.c_str());
    must(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
    must(listen(listener.get(), 64) == 0, "listen");
    watch(listener.get(), EPOLLIN);
  }
  void watch(int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {}};
    must(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  }

  void run() {
    while (!stopping) {
      bool idle = false;
      {
        const std::lock_guard guard(mutex);
        idle = !turn();
        if (idle && !paused) idle = prepare_to_sleep();
      }
      if (!idle) continue;
      epoll_event events[16];
      (void)epoll_wait(epoll.get(), events, 16, 2'000);  // A lost doorbell shows as a slow test.
      const std::lock_guard guard(mutex);
      for (auto& client : clients) {
        if (client->attached) client->channel.set_worker_sleeping(false);
      }
    }
  }

  bool turn() {
    bool worked = accept_clients();
    for (std::size_t i = 0; i < clients.size();) {
      Client& client = *clients[i];
      if (!client.attached) worked |= try_attach(client);
      if (!client.socket || hung_up(client)) {
        drop(client);
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
        worked = true;
        continue;
      }
      if (!paused && client.attached) worked |= take_submissions(client);
      ++i;
    }
    publish();
    return worked;
  }

  bool accept_clients() {
    if (!listener) return false;
    Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return false;
    if (options.refuse_status != 0) {
      refuse_attach(fd.get(), static_cast<AttachStatus>(options.refuse_status));
      return true;
    }
    watch(fd.get(), EPOLLIN | EPOLLRDHUP);
    clients.push_back(std::make_unique<Client>());
    clients.back()->socket = std::move(fd);
    return true;
  }

  bool try_attach(Client& client) {
    AttachRequest request;
    const RequestState state = read_attach_request(client.socket.get(), request);
    if (state == RequestState::NotYet) return false;
    if (state != RequestState::Ready) {
      client.socket.reset();
      return true;
    }
    const std::uint64_t default_bytes = 1u << 20;
    auto channel = WorkerChannel::create(
        {.submit_bytes = request.submit_bytes != 0 ? request.submit_bytes : default_bytes,
         .delivery_bytes = request.delivery_bytes != 0 ? request.delivery_bytes : default_bytes,
         .message_bytes_max = options.message_bytes_max,
         .node = kNode,
         .client = ++last_client});
    must(channel.has_value(), "channel");
    client.channel = std::move(*channel);
    client.id = last_client;
    client.pid = request.pid;
    const WorkerChannel* const channels[] = {&client.channel};
    client.attached =
        send_attach_reply(client.socket.get(), request, channels, LaneMap()).has_value();
    watch(client.channel.doorbell_fd(), EPOLLIN | EPOLLET);
    const NodeId self = kNode;
    (void)client.channel.events().write_node_view(1, kNode, {&self, 1}, {}, {&self, 1}, true);
    return true;
  }

  static bool hung_up(const Client& client) {
    char byte;
    return client.channel.broken() ||
           recv(client.socket.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

  void drop(Client& client) {
    if (client.attached && !client.evicted) (void)take_submissions(client);
    leave_all(client, MemberReason::ClientDied);
  }

  bool take_submissions(Client& client) {
    bool worked = false;
    Submission s;
    for (int n = 0; n < 64 && client.channel.peek_submission(s); ++n) {
      if (!client.evicted) handle(client, s);
      client.channel.pop_submission();
      worked = true;
    }
    client.wake |= client.channel.release_submissions();
    return worked;
  }

  void handle(Client& client, const Submission& s) {
    const std::string name(reinterpret_cast<const char*>(s.payload.data()), s.payload.size());
    const GroupId id = group_id(name.data(), name.size());
    switch (s.kind) {
      case SubmissionKind::Multicast:
        return multicast(client, s);
      case SubmissionKind::Open:
      case SubmissionKind::Join: {
        if (name == "forbidden") {
          (void)client.channel.events().write_refused(id, s.kind, RefusedReason::Access);
          return;
        }
        if (s.kind == SubmissionKind::Open) {
          client.opened.insert(id);
          return;
        }
        GroupMember member{
            .node = kNode, .client = client.id, .pid = client.pid, .reason = MemberReason::None};
        Room& room = rooms[id];
        room.name = name;
        room.members.push_back(member);
        member.reason = MemberReason::Joined;
        announce(id, {}, {member});
        return;
      }
      case SubmissionKind::Leave:
        return leave(client, s.group, MemberReason::Left);
      case SubmissionKind::Close:
        client.opened.erase(s.group);
        return;
    }
  }

  void multicast(Client& sender, const Submission& s) {
    const auto room = rooms.find(s.group);
    if (room == rooms.end()) return;
    // Like the real worker: only what was joined or opened may be sent to.
    const auto is_sender = [&](const GroupMember& m) { return m.client == sender.id; };
    const auto& members = room->second.members;
    if (!sender.opened.contains(s.group) && std::none_of(members.begin(), members.end(), is_sender))
      return;
    const std::vector<std::byte> copy(s.payload.begin(), s.payload.end());
    const MessageEvent event{.group = s.group, .node = kNode, .client = sender.id};
    const std::uint8_t flags = (s.flags & kSubmissionSafe) != 0 ? kEventSafe : 0;
    for (Client* to : members_of(room->second)) {
      if (!to->channel.write_message(event, flags, copy)) evict(*to);
    }
  }

  std::vector<Client*> members_of(const Room& room) {
    std::vector<Client*> out;
    for (auto& client : clients) {
      const auto is_self = [&](const GroupMember& m) { return m.client == client->id; };
      if (!client->evicted && std::any_of(room.members.begin(), room.members.end(), is_self)) {
        out.push_back(client.get());
      }
    }
    return out;
  }

  void announce(GroupId id, std::vector<GroupMember> left, std::vector<GroupMember> joined) {
    const Room& room = rooms[id];
    const auto name = std::as_bytes(std::span(room.name));
    for (auto& client : clients) {
      const auto is_self = [&](const GroupMember& m) { return m.client == client->id; };
      const bool was = std::any_of(left.begin(), left.end(), is_self);
      const bool is = std::any_of(room.members.begin(), room.members.end(), is_self);
      if (!client->attached || client->evicted || !(was || is)) continue;
      if (!client->channel.events().write_group_view(id, room.members, left, joined, name))
        evict(*client);
    }
  }

  void leave(Client& client, GroupId id, MemberReason reason) {
    Room& room = rooms[id];
    std::erase_if(room.members, [&](const GroupMember& m) { return m.client == client.id; });
    announce(id, {{.node = kNode, .client = client.id, .pid = client.pid, .reason = reason}}, {});
  }

  void leave_all(Client& client, MemberReason reason) {
    std::vector<GroupId> joined;
    for (const auto& [id, room] : rooms) {
      for (const GroupMember& m : room.members) {
        if (m.client == client.id) joined.push_back(id);
      }
    }
    for (const GroupId id : joined) leave(client, id, reason);
  }

  void evict(Client& client) {
    if (client.evicted || !client.attached) return;
    client.evicted = true;
    client.wake |= client.channel.evict(EvictReason::Lagged);
    leave_all(client, MemberReason::Evicted);
  }

  void publish() {
    for (auto& client : clients) {
      if (!client->attached) continue;
      client->wake |= client->channel.publish_events();
      if (client->wake) (void)wake_client(client->socket.get());
      client->wake = false;
    }
  }

  /// False: something came meanwhile.
  bool prepare_to_sleep() {
    for (auto& client : clients) {
      if (client->attached) client->channel.set_worker_sleeping(true);
    }
    Submission s;
    for (auto& client : clients) {
      if (client->attached && client->channel.peek_submission(s)) return false;
    }
    return true;
  }

  fake_server_options options;
  std::string directory;
  std::mutex mutex;
  std::atomic<bool> stopping{false};
  bool paused = false;
  Fd epoll, kick, listener;
  ClientId last_client = 0;
  std::vector<std::unique_ptr<Client>> clients;
  std::map<GroupId, Room> rooms;
  std::thread thread;
};

namespace {

/// The server's lock, and a kick for its thread afterwards.
struct Command {
  explicit Command(fake_server* s) : server(s), guard(s->mutex) {}
  ~Command() { eventfd_write(server->kick.get(), 1); }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  fake_server* server;
  std::lock_guard<std::mutex> guard;
};

}  // namespace

fake_server* fake_server_start(const fake_server_options* options) {
  fake_server_options used = options != nullptr ? *options : fake_server_options{};
  if (used.message_bytes_max == 0) used.message_bytes_max = 64u << 10;
  return new fake_server(used);
}
void fake_server_stop(fake_server* server) { delete server; }
const char* fake_server_directory(const fake_server* server) { return server->directory.c_str(); }

void fake_server_kill(fake_server* server) {
  const Command command(server);
  unlink((server->directory + "/default/phalanx.sock").c_str());
  server->listener.reset();
  server->clients.clear();
  server->rooms.clear();
}
void fake_server_revive(fake_server* server) {
  const Command command(server);
  server->listen_again();
}
void fake_server_pause(fake_server* server, int paused) {
  const Command command(server);
  server->paused = paused != 0;
}
void fake_server_evict(fake_server* server) {
  const Command command(server);
  for (auto& client : server->clients) server->evict(*client);
}
void fake_server_change_view(fake_server* server) {
  const Command command(server);
  const NodeId members[] = {1, 2};
  for (auto& client : server->clients) {
    if (!client->attached) continue;
    (void)client->channel.events().write_transitional();
    (void)client->channel.events().write_node_view(2, 1, members, std::span(members).last(1),
                                                   std::span(members).last(1));
  }
}
void fake_server_send_rubbish(fake_server* server) {
  const Command command(server);
  for (auto& client : server->clients) {
    if (!client->attached) continue;
    std::byte* room = client->channel.reserve_event(8);
    must(room != nullptr, "rubbish");
    std::fill_n(room, 8, std::byte{0xff});
    client->channel.commit_event(EventKind::GroupView);
  }
}
size_t fake_server_clients(fake_server* server) {
  const Command command(server);
  return server->clients.size();
}
size_t fake_server_memberships(fake_server* server) {
  const Command command(server);
  size_t count = 0;
  for (const auto& [id, room] : server->rooms) count += room.members.size();
  return count;
}
