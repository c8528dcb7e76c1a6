// What can go wrong in operation is a value: Result<T> holds a T or an Error.
//
// An Error says what happened (code), whose doing it is (origin, which decides blame and HTTP status) and
// a text that grows outward and is logged once, where it is answered.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace faas {

/// A code exists only because some caller reacts to it differently.
enum class Code {
  invalid,         ///< the request or setting is wrong; the text names the field and the limit
  not_found,       ///<
  already_exists,  ///<
  too_large,       ///< a named limit was reached
  unavailable,     ///< try again later
  refused,         ///< nothing of the request was sent: safe to try elsewhere
  closed,          ///< the peer closed the connection
  timeout,         ///< a deadline passed
  malformed,       ///< the peer broke the protocol
  failed,          ///< anything else
};

enum class Origin { client, function, platform, machine };

struct Error {
  Code code = Code::failed;
  Origin origin = Origin::machine;
  std::string text;
  int status = 0;  ///< what another server answered, where that is passed on as it is; 0: `code` says it

  /// Puts `context` in front of the text: "context: text".
  [[nodiscard]] Error within(std::string_view context) && {
    text.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
  [[nodiscard]] Error within(std::string_view context) const& { return Error(*this).within(context); }
};

/// The text for errno `number`, prefixed: "bind: address already in use". Origin machine.
[[nodiscard]] Error system_error(std::string_view what, int number, Code code = Code::failed);

/// Asked for the value of a failed result: a broken invariant. Ends the process with the error's text.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace faas

// TRY(expression): leaves the function with the error, if there is one.
// TRY_ASSIGN(declaration, expression): the same, and declares what the value is bound to.
// CO_TRY, CO_TRY_ASSIGN: the same inside a coroutine; the expression holds no co_await.
#define FAAS_JOIN2(a, b) a##b
#define FAAS_JOIN(a, b) FAAS_JOIN2(a, b)
#define FAAS_TRY_IMPL(leave, name, expression) \
  auto name = (expression);                    \
  if (!name) leave std::move(name).error()
#define TRY(expression) FAAS_TRY_IMPL(return, FAAS_JOIN(tried_, __LINE__), expression)
#define CO_TRY(expression) FAAS_TRY_IMPL(co_return, FAAS_JOIN(tried_, __LINE__), expression)
#define TRY_ASSIGN(declaration, expression)                       \
  FAAS_TRY_IMPL(return, FAAS_JOIN(tried_, __LINE__), expression); \
  declaration = std::move(*FAAS_JOIN(tried_, __LINE__))
#define CO_TRY_ASSIGN(declaration, expression)                       \
  FAAS_TRY_IMPL(co_return, FAAS_JOIN(tried_, __LINE__), expression); \
  declaration = std::move(*FAAS_JOIN(tried_, __LINE__))
