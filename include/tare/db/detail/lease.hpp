#pragma once

// A connection lent by a pool. Its users share ownership; when the last lease is destroyed, the connection returns to
// the pool.

#include <utility>

namespace tare::db::detail {

class session;  // src/db/session.hpp

void retain(session& lent) noexcept;
/// Any thread. A separate task stops what is running on the connection and rolls back an open transaction.
void let_go(session& lent) noexcept;

/// 8 bytes.
class lease {
 public:
  lease() noexcept = default;
  /// Takes over a counted reference.
  explicit lease(session& lent) noexcept : session_(&lent) {}
  lease(const lease& other) noexcept : session_(other.session_) {
    if (session_ != nullptr) retain(*session_);
  }
  lease(lease&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
  lease& operator=(const lease& other) noexcept { return *this = lease(other); }
  lease& operator=(lease&& other) noexcept {
    lease taken(std::move(other));
    std::swap(session_, taken.session_);
    return *this;
  }
  ~lease() { reset(); }

  void reset() noexcept {
    if (session* lent = std::exchange(session_, nullptr); lent != nullptr) let_go(*lent);
  }

  [[nodiscard]] session& operator*() const noexcept { return *session_; }
  [[nodiscard]] session* operator->() const noexcept { return session_; }
  [[nodiscard]] explicit operator bool() const noexcept { return session_ != nullptr; }

 private:
  session* session_ = nullptr;
};

}  // namespace tare::db::detail
