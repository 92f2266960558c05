#include <tare/db/rows.hpp>

#include "db/row_stream.hpp"

namespace tare::db {

rows::rows(std::unique_ptr<detail::row_stream> stream) noexcept : stream_(std::move(stream)) {}
rows::rows(rows&&) noexcept = default;
rows& rows::operator=(rows&&) noexcept = default;
rows::~rows() = default;

const std::vector<std::string>& rows::columns() const noexcept { return stream_->block.names(); }

bool rows::advance() noexcept {
  const auto size = static_cast<std::uint32_t>(stream_->block.size());
  if (stream_->next < size) {
    ++stream_->next;
    return true;
  }
  if (stream_->held) return false;
  stream_->next = size + 1;  // a position where `current` finds nothing
  return true;
}

std::optional<row> rows::current() const noexcept {
  if (stream_->next == 0 || stream_->next > stream_->block.size()) return std::nullopt;
  return row(stream_->block, stream_->next - 1);
}

task<result<bool>> rows::fetch() {
  detail::row_stream& stream = *stream_;
  if (advance()) co_return stream.next <= stream.block.size();  // the task had no steps left
  // Kept until this returns, although the stream releases it.
  const detail::lease held = stream.held;
  detail::session& on = *held;
  stream.block.clear();
  stream.next = 0;
  result<detail::progress> come;
  try {
    come = co_await on.more(stream.block);
  } catch (...) {
    stream.finish();
    on.spoil(error(error_kind::cancelled, "", "a statement of the transaction was cancelled"));
    throw;
  }
  if (!come) {
    stream.block.clear();
    on.spoil(come.error());
    stream.finish();
    co_return std::unexpected(std::move(come.error()));
  }
  if (come->finished) stream.finish();
  if (stream.block.size() == 0) co_return false;
  stream.next = 1;
  co_return true;
}

}  // namespace tare::db
