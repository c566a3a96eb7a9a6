"""What a scheduler needs to know of a project's sources, without any scheduler: pipelines, arrivals, approvals, notices."""
