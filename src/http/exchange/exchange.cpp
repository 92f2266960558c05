#include "http/exchange.hpp"

#include "http/server_core.hpp"

namespace tare::http::detail {

exchange::exchange(transport connection, server_core& server) noexcept
    : connection_(connection), server_(server), reader_(server.limits()) {
  server_.enter(*this);
  moved_ = server_.sweeps();
}

exchange::~exchange() {
  if (guard != nullptr) server_.end_handler(*this);
  server_.leave(*this);
}

void exchange::next() noexcept {
  drop_piece();
  share_.release();
  admitted_bytes_ = reserved_bytes_ = body_bytes_ = 0;
  admitted_ = true;
  reader_.next(server_.limits());
  fields_.clear();
  refusal_.reset();
  read_error_ = {};
  route_ = {};
  status_ = 200;
  stage_ = stage::open;
  waited_ = {};
  skipping_ = until_close_ = chunked_ = counted_ = continue_due_ = body_complete_ = head_limited_ = timed_out = false;
}

}  // namespace tare::http::detail
