-- What a call that fails returns.
local assert = require "luassert"

-- Fails unless these three values of a call are those of an error of this kind. Returns the error.
return function(kind, result, message, err)
  assert.is_nil(result, "it succeeded")
  assert.is_table(err, message)
  assert.equal(kind, err.kind, message)
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  return err
end
