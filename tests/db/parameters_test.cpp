#include <tare/db.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using tare::db::parameters;
using tare::db::value_kind;

static_assert(sizeof(parameters) == 8);
static_assert(sizeof(tare::db::error) == 8);
static_assert(sizeof(tare::db::rows) == 8);
static_assert(sizeof(tare::db::connection) == 8);
static_assert(sizeof(tare::db::transaction) == 8);
static_assert(sizeof(tare::db::row) == 16);

static_assert(tare::db::bindable<int>);
static_assert(tare::db::bindable<const char (&)[4]>);
static_assert(tare::db::bindable<std::optional<std::string>>);
static_assert(!tare::db::bindable<void*>);
static_assert(!tare::db::bindable<std::vector<int>>);

TEST(db_parameters, keep_what_they_are_given) {
  const std::vector<std::byte> blob{std::byte{0}, std::byte{255}};
  std::string text = "tare";
  parameters bound(-7, 2.5, true, text, "literal", blob, nullptr, std::nullopt, std::optional<int>(),
                   std::optional<std::string>("held"), std::string_view(), std::vector<std::byte>());
  text = "gone";
  ASSERT_EQ(bound.size(), 12U);
  EXPECT_EQ(bound[0].integer(), -7);
  EXPECT_EQ(bound[1].real(), 2.5);
  EXPECT_TRUE(bound[2].boolean());
  EXPECT_EQ(bound[3].text(), "tare");
  EXPECT_EQ(bound[4].text(), "literal");
  EXPECT_EQ(bound[5].blob()[1], std::byte{255});
  for (const std::size_t null : {6U, 7U, 8U}) EXPECT_EQ(bound[null].kind(), value_kind::null) << null;
  EXPECT_EQ(bound[9].text(), "held");
  EXPECT_EQ(bound[10].kind(), value_kind::text);
  EXPECT_EQ(bound[10].text(), "");
  EXPECT_EQ(bound[11].kind(), value_kind::blob);
  EXPECT_TRUE(bound[11].blob().empty());
  EXPECT_EQ(parameters().size(), 0U);
}

TEST(db_parameters, texts_are_followed_by_a_nul) {
  const parameters bound(std::string_view("abcdef").substr(0, 3), "x");
  EXPECT_EQ(bound[0].text().data()[3], '\0');
  EXPECT_EQ(bound[1].text().data()[1], '\0');
}

TEST(db_parameters, an_integer_beyond_64_bits_signed_is_refused) {
  const auto too_large = std::numeric_limits<std::uint64_t>::max();
  EXPECT_THROW((void)parameters(too_large), std::out_of_range);
  const parameters largest(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(largest[0].integer(), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
