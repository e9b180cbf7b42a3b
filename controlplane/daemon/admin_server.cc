#include "controlplane/daemon/admin_server.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "controlplane/admin_protocol.h"
#include "controlplane/json_text.h"
#include "ipc/base/error.h"

namespace phalanx::controlplane {
namespace {

constexpr CallServer::Options kOptions{
    .service = kAdminService,
    .calls = kAdminCalls,
    // Lines of "admin" are what administrators did, and are not limited; anybody can be refused.
    .subsystem = "attach",
    .limits = {.clients_max = AdminServer::kClientsMax,
               .clients_reserved = AdminServer::kClientsMax - AdminServer::kClientsOfOthers,
               .clients_of_user = AdminServer::kClientsOfOthers,
               .ring_bytes = kAdminRingBytes,
               .message_bytes = kAdminMessageBytesMax,
               .messages_a_turn = 1}};

}  // namespace

nlohmann::json admin_error(int code, const std::string& what) {
  return {{"version", 1}, {"error", {{"code", code}, {"what", what}}}};
}

AdminServer::AdminServer(EventLoop& loop, Fd listener, Handler handler)
    : handler_(std::move(handler)),
      server_(loop, std::move(listener), kOptions,
              // The modes of the socket say who gets this far.
              {.admit = [](const security::PeerCredentials&) { return true; },
               .joined = [this](CallServer::Client client,
                                const Peer& peer) { clients_[client].peer = peer; },
               .left = [this](CallServer::Client client) { clients_.erase(client); },
               .request = [this](const CallServer::Request& request) { serve(request); }}) {}

AdminServer::~AdminServer() = default;

void AdminServer::serve(const CallServer::Request& request) {
  if (request.number == 0 || request.reply_bytes_max < sizeof(AdminAnswer)) {
    return server_.cut_off(request.client);  // No library sends that.
  }
  Client& client = clients_.at(request.client);
  if (request.call == static_cast<std::uint32_t>(AdminCall::More)) return more(request, client);
  ask(request, client.peer);
}

void AdminServer::ask(const CallServer::Request& request, const Peer& peer) {
  const Reply reply = [weak = std::weak_ptr(self_), to = request.client, number = request.number,
                       most = request.reply_bytes_max](const nlohmann::json& answer) {
    if (const auto self = weak.lock()) (*self)->answer(to, number, most, answer);
  };
  const auto* text = reinterpret_cast<const char*>(request.bytes.data());
  const auto parsed = nlohmann::json::parse(text, text + request.bytes.size(), nullptr, false);
  if (!parsed.is_object()) {
    return reply(
        admin_error(static_cast<int>(ExitCode::Usage), "the request is not a JSON object"));
  }
  handler_(parsed, peer, reply);
}

void AdminServer::answer(CallServer::Client to, phx_ipc_request number, std::size_t reply_bytes_max,
                         const nlohmann::json& answer) {
  const auto found = clients_.find(to);
  if (found == clients_.end()) return;
  // What others had a hand in (a line of the log) need not be UTF-8.
  std::string text = json_text(answer);
  if (text.size() > kAdminAnswerBytesMax) {
    text = admin_error(static_cast<int>(ExitCode::Failed), "the answer is too long").dump();
  }
  const AdminAnswer head{.number = next_answer_++, .bytes = text.size()};
  std::vector<std::byte> reply(std::min(reply_bytes_max, sizeof head + text.size()));
  std::memcpy(reply.data(), &head, sizeof head);
  const std::size_t said = reply.size() - sizeof head;
  if (said != 0) std::memcpy(reply.data() + sizeof head, text.data(), said);
  if (!server_.reply(to, number, reply)) return;
  found->second.number = head.number;
  found->second.answer = said == text.size() ? std::string() : std::move(text);
}

void AdminServer::more(const CallServer::Request& request, Client& client) {
  AdminMore more;
  if (request.bytes.size() != sizeof more) return server_.cut_off(request.client);
  std::memcpy(&more, request.bytes.data(), sizeof more);
  const std::string& text = client.answer;
  if (more.number != client.number || more.offset >= text.size()) {
    (void)server_.refuse(request.client, request.number, PHX_NOT_FOUND);
    return;
  }
  const auto rest = std::as_bytes(std::span(text)).subspan(more.offset);
  const auto piece = rest.first(std::min(rest.size(), request.reply_bytes_max));
  if (server_.reply(request.client, request.number, piece) && piece.size() == rest.size()) {
    client.answer = {};
  }
}

}  // namespace phalanx::controlplane
