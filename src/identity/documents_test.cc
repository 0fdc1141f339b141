// Policy documents that are read once.
#include "identity/documents.h"

#include <string>

#include <doctest/doctest.h>

#include "base/limits.h"

namespace gnomon::identity {
namespace {

std::string document(const std::string& resource) {
  return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":)"
         R"("arn:aws:iot:us-east-1:123456789012:topic/)" +
         resource + R"("}]})";
}

TEST_CASE("one document for all who have the same text, another for another") {
  Documents documents;
  const auto first = documents.read(document("a"));
  REQUIRE(first);
  CHECK(*documents.read(document("a")) == *first);
  CHECK(*documents.read(document("b")) != *first);
  CHECK((*documents.read(document("b")))->statements[0].resources.patterns[0].ends_with("/b"));
}

TEST_CASE("what cannot be read is not remembered, nor is what is long") {
  Documents documents;
  CHECK_FALSE(documents.read("{"));
  CHECK_FALSE(documents.read("{"));
  const std::string text = document("a") + std::string(limits::document_remembered_bytes_max, ' ');
  const auto one = documents.read(text), other = documents.read(text);
  REQUIRE(one);
  CHECK(*one != *other);
}

TEST_CASE("a bounded number is remembered") {
  Documents documents;
  const auto first = documents.read(document("first"));
  for (std::size_t i = 0; i < limits::documents_remembered_max; ++i)
    REQUIRE(documents.read(document(std::to_string(i))));
  CHECK(*documents.read(document("first")) != *first);
  CHECK((*first)->statements.size() == 1);  // who has it keeps it
}

}  // namespace
}  // namespace gnomon::identity
