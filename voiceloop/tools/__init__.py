"""Tools: Python functions that the model may ask for while it talks. Their types and docstrings are its manual.

Making a tool needs the extra ``tools``; importing this package does not.
"""

from voiceloop.tools.definition import Tool, ToolOptions, as_tool, tool
from voiceloop.tools.errors import BadTool, ToolError
from voiceloop.tools.run import Outcome, run
from voiceloop.tools.toolbox import Toolbox

__all__ = ["BadTool", "Outcome", "Tool", "ToolError", "ToolOptions", "Toolbox", "as_tool", "run", "tool"]
