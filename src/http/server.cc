#include "http/server.h"

#include "http/connection.h"

namespace faas::http {
namespace {

Task<> serve_connection(std::unique_ptr<Connection> connection, net::Guest& guest) {
  co_await connection->run();
  connection.reset();
  guest.connections.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

Server::Server(net::Core& core, Handler& handler, ServerLimits limits)
    : core_(core), state_(std::make_unique<State>(core, handler, limits)) {}

Server::~Server() {
  close_all();
}

void Server::receive(net::Fd connection) {
  auto served = std::make_unique<Connection>(*this, net::Stream(std::move(connection)));
  state_->connections.push_back(*served);
  state_->tasks.spawn(serve_connection(std::move(served), *this));
}

void Server::drain() {
  state_->draining = true;
  for (auto* node = state_->connections.first(); node != nullptr;) {
    auto* next = state_->connections.after(*node);
    node->close_if_idle();
    node = next;
  }
}

std::size_t Server::busy() const {
  return state_->busy;
}
net::Event& Server::quiet() {
  return state_->quiet;
}

void Server::close_all() {
  while (!state_->connections.empty()) {
    auto& connection = state_->connections.front();
    connection.unlink();
    connection.close_now();
  }
}

}  // namespace faas::http
