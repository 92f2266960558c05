#include "db/pool_core.hpp"

#include <tare/error.hpp>
#include <tare/runtime.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <exception>
#include <utility>

namespace tare::db::detail {

pool_core::pool_core(std::unique_ptr<database> of, std::size_t connections, const pool_options& options)
    : database_(std::move(of)),
      capacity_(connections),
      slots_(connections),
      backoff_(options.first_backoff, options.longest_backoff, reinterpret_cast<std::uintptr_t>(this)),
      connect_limit_(options.connect_limit) {
  // So that returning a session needs no memory.
  resting_.reserve(connections);
}

lease pool_core::take() {
  std::unique_ptr<session> lent;
  try {
    {
      const std::scoped_lock guard(lock_);
      if (!resting_.empty()) {
        lent = std::move(resting_.back());
        resting_.pop_back();
      }
    }
    if (lent == nullptr) lent = database_->make_session();
  } catch (...) {
    slots_.release();
    throw;
  }
  lent->home = shared_from_this();
  lent->references.store(1, std::memory_order_relaxed);
  return lease(*lent.release());
}

void pool_core::put_back(std::unique_ptr<session> returned) noexcept {
  if (returned != nullptr) {
    returned->reading = false;
    returned->transacting = false;
    returned->altered = false;
    returned->spoiled.reset();
    const std::scoped_lock guard(lock_);
    if (!closed_) resting_.push_back(std::move(returned));
  }
  returned.reset();
  slots_.release();
}

std::vector<std::unique_ptr<session>> pool_core::close() noexcept {
  const std::scoped_lock guard(lock_);
  closed_ = true;
  return std::exchange(resting_, {});
}

task<result<void>> pool_core::connect(session& lent) {
  {
    const std::scoped_lock guard(lock_);
    if (closed_) co_return std::unexpected(error(error_kind::unavailable, "", "the pool is closed"));
  }
  if (auto refused = backoff_.refusal(now())) co_return std::unexpected(*std::move(refused));
  std::exception_ptr given_up;
  result<void> made;
  try {
    auto in_time = co_await tare::timeout(connect_limit_, lent.connect());
    if (in_time) {
      made = *std::move(in_time);
    } else {
      made = std::unexpected(error(error_kind::unavailable, "", "no connection within the time limit"));
    }
  } catch (...) {
    given_up = std::current_exception();
  }
  if (given_up) {
    backoff_.given_up();
    lent.close();
    std::rethrow_exception(std::move(given_up));
  }
  if (made) {
    backoff_.succeeded();
  } else {
    backoff_.failed(made.error(), now());
    lent.close();
  }
  co_return made;
}

namespace {

/// Returns a session to the pool whatever happens to the task that cleans it.
class returned_session {
 public:
  returned_session(std::shared_ptr<pool_core> home, std::unique_ptr<session> returned) noexcept
      : home_(std::move(home)), session_(std::move(returned)) {}
  returned_session(returned_session&&) noexcept = default;
  returned_session& operator=(returned_session&&) = delete;
  returned_session(const returned_session&) = delete;
  returned_session& operator=(const returned_session&) = delete;
  ~returned_session() {
    if (home_ == nullptr) return;
    if (session_ != nullptr && !session_->clean()) session_->close();
    home_->put_back(std::move(session_));
  }

  [[nodiscard]] session& operator*() const noexcept { return *session_; }

 private:
  std::shared_ptr<pool_core> home_;
  std::unique_ptr<session> session_;
};

task<> clean(returned_session returned) {
  auto done = co_await (*returned).reset();
  if (!done) (*returned).close();
}

}  // namespace

void retain(session& lent) noexcept { lent.references.fetch_add(1, std::memory_order_relaxed); }

void let_go(session& lent) noexcept {
  if (lent.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  returned_session returned(std::move(lent.home), std::unique_ptr<session>(&lent));
  if (lent.clean() || tare::detail::current_shard == nullptr) return;
  try {
    tare::spawn(clean(std::move(returned)));
  } catch (const std::bad_alloc&) {
    return;  // There is no memory for the task, so the session is returned closed.
  }
}

}  // namespace tare::db::detail
