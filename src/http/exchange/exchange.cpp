#include "http/exchange.hpp"

#include "http/server_core.hpp"

namespace tare::http::detail {

exchange::exchange(transport connection, connection_group& group) noexcept
    : connection_(connection), group_(group), reader_(server().limits()) {
  server().enter(*this);
  moved_ = server().sweeps();
}

exchange::~exchange() {
  if (guard != nullptr) server().end_handler(*this);
  server().leave(*this);
}

void exchange::next() noexcept {
  drop_piece();
  share_.release();
  admitted_bytes_ = reserved_bytes_ = body_bytes_ = 0;
  admitted_ = true;
  reader_.next(server().limits());
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
